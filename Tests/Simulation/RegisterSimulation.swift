import Linearizability
import Model
import Register
import TestKit

/// Gateways, three or five replicas, a faulty network and crashing disks, all of it a function of a seed.
final class RegisterSimulation {
    let scheduler = SimulatedScheduler()
    let network: SimulatedNetwork<Int>
    let rule: QuorumRule
    let keys: Int
    /// Longest sync, in microseconds.
    let syncMax: Int
    var random: SeededGenerator
    private(set) var replicas: [ReplicaShell] = []
    private(set) var clients: [ClientShell] = []

    /// Numbers of the replicas; two sets: a partition that moves.
    private static let layouts: [[ClosedRange<Int>]] = [[1...3], [1...3], [1...5], [1...4], [1...1], [1...3, 3...5]]

    private let mistake: PlantedMistake?
    private var operations = 0
    private var clientsDone = 0
    private var isHealed = false
    private var repairClock = WriterClock()
    private var repairs: [ClientShell] = []

    init(seed: UInt64, mistake: PlantedMistake? = nil) {
        var random = SeededGenerator(seed: seed)
        let sets = random.pick(Self.layouts).map { $0.map { NodeName("storage-\($0)") } }
        rule = QuorumRule(sets: sets, level: .majority(of: sets[0].count))
        keys = random.pick([1, 1, 2])
        syncMax = random.pick([200, 2_000, 20_000])
        let faults = NetworkFaults(
            loss: random.pick([0, 0.02, 0.1]), duplication: random.pick([0, 0.02, 0.1]),
            delay: random.pick([100..<300, 100..<3_000]), lateness: random.pick([0, 0.02, 0.1]))
        network = SimulatedNetwork(scheduler: scheduler, faults: faults, seed: random.next())
        self.random = random
        self.mistake = mistake
        replicas = rule.members.map { ReplicaShell(name: $0, simulation: self) }
        clients = (0..<3).map { ClientShell(writer: UInt64(101 + $0), operations: 6, simulation: self) }
    }

    func has(_ mistake: PlantedMistake) -> Bool { self.mistake == mistake }

    func replica(_ name: NodeName) -> ReplicaShell { replicas[rule.index(of: name)!] }

    func newOperation() -> Int {
        operations += 1
        return operations
    }

    // MARK: - Run

    /// The first violation found, or nil.
    func run() -> String? {
        for client in clients { client.start() }
        scheduleFaults()
        guard scheduler.run(limit: 200_000) else { return "the run does not come to an end" }
        return check()
    }

    /// When all clients are done everything heals, and every client reads every key: that must succeed.
    func clientIsDone() {
        clientsDone += 1
        guard clientsDone == clients.count else { return }
        isHealed = true
        network.faults = .none
        network.isolated = []
        // Replicas that are down come back within this time.
        for (index, client) in clients.enumerated() {
            for key in 0..<keys { scheduler.after(100_000 * (1 + index * keys + key)) { client.lastRead(key) } }
        }
    }

    private func scheduleFaults() {
        let replicaCrashes = random.pick([0, 0.2, 0.6])
        let wipes = random.pick([0, 0, 0.1])
        let damage = random.pick([0, 0, 0.2])
        let clientCrashes = random.pick([0, 0, 0.15])
        let cuts = random.pick([0, 0.2])
        func tick() {
            guard !isHealed else { return }
            if random.chance(replicaCrashes) { crash() }
            let victim = random.pick(replicas)
            if random.chance(wipes), mayLose(victim) { victim.wipe() }
            if random.chance(damage), mayLose(victim) {
                victim.crash(downFor: random.number(0..<5_000), unreadable: random.number(0..<keys))
            }
            if random.chance(clientCrashes) { random.pick(clients).crash() }
            if random.chance(cuts) { cut() }
            heal()
            scheduler.after(random.number(1_000..<8_000), tick)
        }
        scheduler.after(random.number(0..<5_000), tick)
    }

    private func crash() {
        // Now and then the power goes for all.
        let chosen = random.chance(0.15) ? replicas : [random.pick(replicas)]
        for replica in chosen { replica.crash(downFor: random.number(0..<20_000)) }
    }

    /// A replica may lose what it holds as long as the others still have every quorum.
    private func mayLose(_ replica: ReplicaShell) -> Bool {
        let lost = replicas.filter { $0 === replica || $0.isWiped || !$0.unreadable.isEmpty }
        return rule.canStillPrepare(without: rule.memberSet(lost.map(\.name)))
    }

    private func cut() {
        network.isolated = [random.pick(replicas).address]
        scheduler.after(random.number(2_000..<30_000)) { [self] in network.isolated = [] }
    }

    /// What repair does for a replica that cannot read a record: a round above everything that this replica can have
    /// voted for, and the state it decides.
    private func heal() {
        for replica in replicas where replica.isUp && !replica.unreadable.isEmpty && random.chance(0.3) {
            let key = replica.unreadable.min()!
            let repair = ClientShell(writer: 100, operations: 0, simulation: self)
            repair.clock = repairClock
            repair.clock.observe(replica.storedCeiling + 64)
            let run = WriteRun(client: repair, key: key, blob: nil, change: { _ in .confirm }) { [self] end in
                repairClock.observe(repair.clock.counter)
                guard case .success(let success) = end, let state = success.state else { return }
                network.send(from: 100, to: replica.address) { replica.learn(key, state) { _ in } }
            }
            repairs.append(repair)
            repairClock.observe(repair.clock.counter + 1)
            run.start()
        }
    }

    // MARK: - Check

    /// What all clients saw.
    var history: [HistoryOperation] { clients.flatMap(\.history) }

    private func check() -> String? {
        if let (key, verdict) = HistoryChecker.check(history).first { return "key \(key): \(verdict)" }
        for client in clients where client.history.suffix(keys).contains(where: { $0.outcome != .ok }) {
            return "a last read failed although everything had healed"
        }
        let observations = clients.flatMap(\.observations)
        for key in 0..<keys {
            let chain = ChainCheck(observations.filter { $0.key == key })
            if let violation = chain.violation() { return "key \(key): \(violation)" }
            let ignorant = replicas.filter {
                !$0.isWiped && !$0.unreadable.contains(key) && !chain.isKnown(to: $0.index[key])
            }
            if rule.isReadQuorum(rule.memberSet(ignorant.map(\.name))) {
                return "key \(key): a quorum does not know what was answered"
            }
        }
        return nil
    }
}

extension ReplicaShell {
    var address: Int { Int(name.rawValue.dropFirst("storage-".count))! }
}
