import Linearizability
import Model
import Register
import TestKit

/// One simulated gateway with one client: it does one operation after the other and writes down what it saw.
final class ClientShell {
    /// What the checks need beyond the client's view.
    struct Observation {
        var operation: Int
        var key: Int
        var call: Int
        var returned: Int
        var isWrite: Bool
        /// The operations in the answered state: a prefix of the decided chain.
        var chain: [Int]
    }

    let writer: UInt64
    unowned let simulation: RegisterSimulation
    var clock = WriterClock()
    private(set) var history: [HistoryOperation] = []
    private(set) var observations: [Observation] = []
    private var left: Int
    private var isDone = false
    private var running: WriteRun?
    private var lastSeen: [Int: Int] = [:]
    private let skew: Int
    /// Operations of an earlier life do not go on.
    private var life = 0

    init(writer: UInt64, operations: Int, simulation: RegisterSimulation) {
        self.writer = writer
        self.simulation = simulation
        left = operations
        skew = simulation.random.number(0..<50_000)
    }

    private var address: Int { Int(writer) }
    var isGateway: Bool { writer > 100 }

    /// Sends a request and returns the answer, both over the network. false: known to be out of reach.
    func exchange<Answer>(
        _ node: NodeName, atMostOnce: Bool = false,
        _ request: @escaping (ReplicaShell, @escaping (Answer) -> Void) -> Void,
        _ answer: @escaping (Answer) -> Void
    ) -> Bool {
        let replica = simulation.replica(node)
        let (address, network) = (address, simulation.network)
        func send() -> Bool {
            network.send(from: address, to: replica.address, atMostOnce: atMostOnce) {
                request(replica) { result in
                    network.send(from: replica.address, to: address) { answer(result) }
                }
            }
        }
        guard isGateway, node == simulation.slowForGateways else { return send() }
        simulation.scheduler.after(simulation.random.number(0..<simulation.patience)) { _ = send() }
        return true
    }

    /// What the replicator does with a hint, some time later.
    func deliverHint(_ key: Int, _ state: SimulatedState, to node: NodeName) {
        simulation.scheduler.after(simulation.random.number(0..<200_000)) { [self] in
            _ = exchange(node, { $0.learn(key, state, $1) }) { (_: LearnDecision<SimulatedRecord>) in }
        }
    }

    // MARK: - Operations

    func start() { proceed(after: simulation.random.number(0..<2_000)) }

    /// Goes on with the next operation, unless the process dies before.
    private func proceed(after microseconds: Int) {
        let life = life
        simulation.scheduler.after(microseconds) { [self] in
            if life == self.life { next() }
        }
    }

    private func next() {
        guard left > 0 else {
            if !isDone { simulation.clientIsDone() }
            isDone = true
            return
        }
        left -= 1
        let key = simulation.random.number(0..<simulation.keys)
        let operation = simulation.newOperation()
        switch simulation.random.number(0..<10) {
        case 0..<4: begin(.put, key, operation)
        case 4: begin(.delete, key, operation)
        case 5 where simulation.deletesOften: begin(.delete, key, operation)
        case 5..<7: begin(.conditionalPut, key, operation, condition: condition(key))
        default: begin(.get, key, operation)
        }
    }

    /// A last look after everything has healed.
    func lastRead(_ key: Int) { begin(.get, key, simulation.newOperation()) }

    private func condition(_ key: Int) -> HistoryOperation.Condition {
        guard let value = lastSeen[key], simulation.random.chance(0.6) else { return .absent }
        return .holds("\(value)")
    }

    private func begin(
        _ kind: HistoryOperation.Kind, _ key: Int, _ operation: Int, condition: HistoryOperation.Condition? = nil
    ) {
        let writes = kind == .put || kind == .conditionalPut
        history.append(
            HistoryOperation(
                client: address, key: "\(key)", kind: kind, value: writes ? "\(operation)" : nil,
                condition: condition, call: Int64(simulation.scheduler.step)))
        switch kind {
        case .get: read(key, operation)
        case .put, .delete, .conditionalPut:
            if simulation.has(.orderByClock), condition == nil {
                writeByClock(key, operation, value: writes ? operation : nil)
            } else {
                write(key, operation, value: writes ? operation : nil, condition)
            }
        }
    }

    private func write(_ key: Int, _ operation: Int, value: Int?, _ condition: HistoryOperation.Condition?) {
        let call = simulation.scheduler.step
        run(key, blob: value) { [simulation] current in
            switch condition {
            case .absent? where current?.isLive == true: return .refuse
            case .holds(let expected)? where current?.record?.value.map({ "\($0)" }) != expected: return .refuse
            default:
                let operations = simulation.purged.operations(current, of: key) + [operation]
                return .write(SimulatedRecord(value: value, operations: operations))
            }
        } then: { [self] end in
            switch end {
            case .success(let success):
                note(key, operation, call, success.state, isWrite: success.kind != .refused)
                finish(success.kind == .refused ? .refused : .ok)
            case .failure(.outcomeUnknown): finish(.unknown)
            case .failure: finish(.failed)
            }
        }
    }

    private func read(_ key: Int, _ operation: Int) {
        let call = simulation.scheduler.step
        let life = life
        let answered = { [self] (state: SimulatedState?) in
            guard life == self.life else { return }
            note(key, operation, call, state, isWrite: false)
            lastSeen[key] = state?.record?.value
            history[history.count - 1].value = state?.record?.value.map { "\($0)" }
            finish(.ok)
        }
        ReadRun(client: self, key: key) { [self] result in
            guard life == self.life else { return }
            switch result {
            case .answer(let state): answered(state)
            case .fail: finish(.failed)
            case .finish:
                run(key, blob: nil, change: { _ in .keep }) { [self] end in
                    if case .success(let success) = end { answered(success.state) } else { finish(.failed) }
                }
            }
        }.start()
    }

    private func run(
        _ key: Int, blob: Int?, change: @escaping (SimulatedState?) -> RegisterChange<SimulatedRecord>,
        then: @escaping (WriteRun.End) -> Void
    ) {
        let life = life
        let run = WriteRun(client: self, key: key, blob: blob, change: change) { end in
            if life == self.life { then(end) }
        }
        running = run
        run.start()
    }

    /// Planted: the clock of the gateway is the tag, and replicas take whatever is newer.
    private func writeByClock(_ key: Int, _ operation: Int, value: Int?) {
        let call = simulation.scheduler.step
        let tag = Ballot(counter: UInt64(1_000_000 + simulation.scheduler.now + skew), writer: writer)
        let state = SimulatedState(
            tag: tag, sequence: 1, recentOperations: [], record: SimulatedRecord(value: value, operations: [operation]))
        var known = Set<NodeName>()
        var isDone = false
        let life = life
        for node in simulation.rule.members {
            _ = exchange(node, { $0.learn(key, state, $1) }) { [self] (_: LearnDecision<SimulatedRecord>) in
                known.insert(node)
                guard !isDone, life == self.life, simulation.rule.isWriteQuorum(known) else { return }
                isDone = true
                note(key, operation, call, state, isWrite: true)
                finish(.ok)
            }
        }
        simulation.scheduler.after(50_000) { [self] in
            if !isDone, life == self.life {
                isDone = true
                finish(.unknown)
            }
        }
    }

    private func note(_ key: Int, _ operation: Int, _ call: Int, _ state: SimulatedState?, isWrite: Bool) {
        observations.append(
            Observation(
                operation: operation, key: key, call: call, returned: simulation.scheduler.step, isWrite: isWrite,
                chain: simulation.purged.operations(state, of: key)))
    }

    private func finish(_ outcome: HistoryOperation.Outcome) {
        history[history.count - 1].outcome = outcome
        history[history.count - 1].returned = Int64(simulation.scheduler.step)
        running = nil
        proceed(after: simulation.random.number(1..<3_000))
    }

    /// The gateway dies and comes back without its clock and without knowing what became of its operation.
    func crash() {
        life += 1
        running?.abandon()
        running = nil
        clock = WriterClock()
        proceed(after: 10_000)
    }
}
