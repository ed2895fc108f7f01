import Linearizability
import Model
import Register
import Ring
import TestKit

/// One simulated gateway with one client, or the writer inside repair. It knows the ring that it last fetched.
final class RingClient {
    let writer: UInt64
    unowned let simulation: RingChangeSimulation
    var clock = WriterClock()
    private(set) var table: RingTable
    private(set) var history: [HistoryOperation] = []
    private(set) var observations: [ClientShell.Observation] = []
    private var left: Int
    private var isDone = false
    private var running: RingWrite?
    private var lastSeen: [Int: Int] = [:]
    /// Operations of an earlier life do not go on.
    private var life = 0

    init(writer: UInt64, operations: Int, simulation: RingChangeSimulation) {
        self.writer = writer
        self.simulation = simulation
        table = simulation.table
        left = operations
    }

    var address: Int { Int(writer) }

    /// Sends a request and returns the answer, both over the network. false: known to be out of reach.
    func exchange<Answer>(
        _ node: NodeName, atMostOnce: Bool = false,
        _ request: @escaping (RingReplica, @escaping (Answer) -> Void) -> Void,
        _ answer: @escaping (Answer) -> Void
    ) -> Bool {
        let replica = simulation.replica(node)
        let (address, network) = (address, simulation.network)
        return network.send(from: address, to: replica.address, atMostOnce: atMostOnce) {
            request(replica) { result in
                network.send(from: replica.address, to: address) { answer(result) }
            }
        }
    }

    /// Gets the newest ring, some time later.
    func refresh(_ then: @escaping () -> Void) {
        simulation.scheduler.after(simulation.random.number(100..<3_000)) { [self] in
            table = simulation.table
            then()
        }
    }

    // MARK: - Operations

    func start() { proceed(after: simulation.random.number(0..<2_000)) }

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
        switch simulation.random.number(0..<10) {
        case 0..<4: begin(.put, key)
        case 4: begin(.delete, key)
        case 5 where simulation.deletesOften: begin(.delete, key)
        case 5..<7: begin(.conditionalPut, key, condition: condition(key))
        default: begin(.get, key)
        }
    }

    /// A last look after everything has healed.
    func lastRead(_ key: Int) { refresh { self.begin(.get, key) } }

    private func condition(_ key: Int) -> HistoryOperation.Condition {
        guard let value = lastSeen[key], simulation.random.chance(0.6) else { return .absent }
        return .holds("\(value)")
    }

    private func begin(_ kind: HistoryOperation.Kind, _ key: Int, condition: HistoryOperation.Condition? = nil) {
        let operation = simulation.newOperation()
        let writes = kind == .put || kind == .conditionalPut
        history.append(
            HistoryOperation(
                client: address, key: "\(key)", kind: kind, value: writes ? "\(operation)" : nil,
                condition: condition, call: Int64(simulation.scheduler.step)))
        if kind == .get { read(key, operation) } else { write(key, operation, writes ? operation : nil, condition) }
    }

    private func write(_ key: Int, _ operation: Int, _ value: Int?, _ condition: HistoryOperation.Condition?) {
        let call = simulation.scheduler.step
        run(key) { [simulation] current in
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
        let (call, life) = (simulation.scheduler.step, life)
        let answered = { [self] (state: SimulatedState?) in
            guard life == self.life else { return }
            note(key, operation, call, state, isWrite: false)
            lastSeen[key] = state?.record?.value
            history[history.count - 1].value = state?.record?.value.map { "\($0)" }
            finish(.ok)
        }
        RingRead(client: self, key: key) { [self] result in
            guard life == self.life else { return }
            switch result {
            case .answer(let state): answered(state)
            case .fail: finish(.failed)
            case .finish:
                run(key, change: { _ in .keep }) { [self] end in
                    if case .success(let success) = end { answered(success.state) } else { finish(.failed) }
                }
            }
        }.start()
    }

    private func run(
        _ key: Int, change: @escaping (SimulatedState?) -> RegisterChange<SimulatedRecord>,
        then: @escaping (RingWrite.End) -> Void
    ) {
        let life = life
        let run = RingWrite(client: self, key: key, change: change) { end in
            if life == self.life { then(end) }
        }
        running = run
        run.start()
    }

    private func note(_ key: Int, _ operation: Int, _ call: Int, _ state: SimulatedState?, isWrite: Bool) {
        observations.append(
            ClientShell.Observation(
                operation: operation, key: key, call: call, returned: simulation.scheduler.step, isWrite: isWrite,
                chain: simulation.purged.operations(state, of: key)))
    }

    private func finish(_ outcome: HistoryOperation.Outcome) {
        history[history.count - 1].outcome = outcome
        history[history.count - 1].returned = Int64(simulation.scheduler.step)
        running = nil
        // A process also hears of new rings without being refused.
        if outcome == .failed { table = simulation.table }
        // Long pauses leave room for a whole plan without a write.
        proceed(after: simulation.random.number(1..<(simulation.loneRecord == nil ? 4_000 : 60_000)))
    }

    /// The gateway dies and comes back without its clock and without knowing what became of its operation. Its ring is on
    /// its disk.
    func crash() {
        life += 1
        running?.abandon()
        running = nil
        clock = WriterClock()
        proceed(after: 10_000)
    }
}
