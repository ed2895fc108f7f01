import Linearizability
import Model
import Register
import Ring
import TestKit

/// One partition whose replicas change while gateways write, and everything fails now and then. All of it is a function of
/// a seed.
final class RingChangeSimulation {
    let scheduler = SimulatedScheduler()
    let network: SimulatedNetwork<Int>
    let keys: Int
    let syncMax: Int
    let level = ConsistencyLevel.majority(of: 3)
    var random: SeededGenerator
    /// What the manager's store has.
    var table: RingTable
    var plan: RingPlan?
    private(set) var isHealed = false

    private let mistake: RingMistake?
    private(set) var replicas: [RingReplica] = []
    private(set) var clients: [RingClient] = []
    private(set) var manager: RingManager!
    private var mover: RingMover!
    private var purger: RingPurger?
    /// In some runs.
    private(set) var loneRecord: LoneRecord?
    let purged = PurgedChains()
    let deletesOften: Bool
    private var operations = 0
    private var clientsDone = 0

    init(seed: UInt64, mistake: RingMistake? = nil) {
        var random = SeededGenerator(seed: seed)
        self.mistake = mistake
        keys = random.pick([1, 1, 2])
        syncMax = random.pick([200, 2_000, 10_000])
        let faults = NetworkFaults(
            loss: random.pick([0, 0.02, 0.08]), duplication: random.pick([0, 0.05]),
            delay: random.pick([100..<300, 100..<3_000]), lateness: random.pick([0, 0.02, 0.1]))
        network = SimulatedNetwork(scheduler: scheduler, faults: faults, seed: random.next())
        deletesOften = random.chance(0.5)
        let hashKey = [UInt8](repeating: 0, count: 16)
        let first = PartitionReplicas(current: (1...3).map(Self.name), epoch: 1)
        table = RingTable(epoch: 1, hashKey: hashKey, partitions: [first])!
        self.random = random
        replicas = (1...6).map { RingReplica(name: Self.name($0), simulation: self) }
        clients = (0..<3).map { RingClient(writer: UInt64(101 + $0), operations: 6, simulation: self) }
        if self.random.chance(0.1) { loneRecord = LoneRecord(simulation: self) }
        manager = RingManager(simulation: self)
        mover = RingMover(simulation: self)
    }

    static func name(_ number: Int) -> NodeName { NodeName("storage-\(number)") }

    func has(_ mistake: RingMistake) -> Bool { self.mistake == mistake }

    /// Of "storage-1" to "storage-6": by the last digit, since every message asks.
    func replica(_ name: NodeName) -> RingReplica { replicas[Int(name.rawValue.utf8.last! - UInt8(ascii: "1"))] }

    func newOperation() -> Int {
        operations += 1
        return operations
    }

    func rule(_ table: RingTable) -> QuorumRule {
        let sets = table.partitions[0].sets
        return QuorumRule(sets: has(.buildOnNewcomers) ? sets.reversed() : sets, level: level)
    }

    func readRule(_ table: RingTable) -> QuorumRule {
        let replicas = table.partitions[0]
        if has(.readOneSet), !replicas.next.isEmpty { return QuorumRule(sets: [replicas.next], level: level) }
        return rule(table)
    }

    // MARK: - Run

    /// The first violation found, or nil.
    func run() -> String? {
        for client in clients { client.start() }
        manager.start()
        mover.start()
        loneRecord?.start()
        if let pause = random.pick([nil, 500..<4_000, 2_000..<20_000]) {
            purger = RingPurger(simulation: self, pause: pause)
            purger?.start()
        }
        scheduleFaults()
        guard scheduler.run(limit: 200_000) else { return "the run does not come to an end" }
        return check()
    }

    private func scheduleFaults() {
        let crashes = random.pick([0, 0.2, 0.5])
        let others = random.pick([0, 0.1])
        let wipes = random.pick([0, 0, 0.08])
        let cuts = random.pick([0, 0.2])
        func tick() {
            guard !isHealed else { return }
            if random.chance(crashes) { random.pick(replicas).crash(downFor: random.number(0..<15_000)) }
            if random.chance(others) { random.pick(clients).crash() }
            if random.chance(others) { manager.crash() }
            if random.chance(others) { mover.crash() }
            let victim = random.pick(replicas)
            if random.chance(wipes), mayLose(victim) { victim.wipe() }
            if random.chance(cuts) { cut() }
            scheduler.after(random.number(1_000..<8_000), tick)
        }
        scheduler.after(random.number(0..<5_000), tick)
    }

    private func cut() {
        network.isolated = [random.pick(replicas).address]
        scheduler.after(random.number(2_000..<20_000)) { [self] in network.isolated = [] }
    }

    /// The others still have every quorum, in each set in force.
    private func mayLose(_ replica: RingReplica) -> Bool {
        let lost = replicas.filter { $0 === replica || $0.isWiped }.map(\.name)
        let rule = QuorumRule(sets: table.partitions[0].sets, level: level)
        return rule.canStillPrepare(without: rule.memberSet(lost))
    }

    /// When all clients are done everything heals; when the plans are over every client reads every key.
    func clientIsDone() {
        clientsDone += 1
        guard clientsDone == clients.count else { return }
        isHealed = true
        network.faults = .none
        network.isolated = []
        scheduler.after(120_000) { [self] in finish(patience: 30) }
    }

    private func finish(patience: Int) {
        if patience == 10 { manager.giveUp() }
        if !manager.isIdle, patience > 0 {
            return scheduler.after(20_000) { [self] in finish(patience: patience - 1) }
        }
        for (index, client) in clients.enumerated() {
            for key in 0..<keys { scheduler.after(40_000 * (index * keys + key)) { client.lastRead(key) } }
        }
        mover.stop()
    }

    // MARK: - Check

    var history: [HistoryOperation] { clients.flatMap(\.history) + (loneRecord?.history ?? []) }

    private func check() -> String? {
        if let (key, verdict) = HistoryChecker.check(history).first { return "key \(key): \(verdict)" }
        if !manager.isIdle { return "a plan neither ends nor can be taken back although everything has healed" }
        for client in clients where client.history.suffix(keys).contains(where: { $0.outcome != .ok }) {
            return "a last read failed although everything had healed"
        }
        let observations = clients.flatMap(\.observations)
        let rule = QuorumRule(sets: table.partitions[0].sets, level: level)
        for key in 0..<keys {
            let chain = ChainCheck(observations.filter { $0.key == key })
            if let violation = chain.violation() { return "key \(key): \(violation)" }
            let ignorant = replicas.filter {
                !$0.isWiped && !chain.isKnown(to: purged.known($0.index[key], $0.storedFloor, of: key))
            }
            if rule.isReadQuorum(rule.memberSet(ignorant.map(\.name))) {
                return "key \(key): a quorum does not know what was answered"
            }
        }
        return nil
    }
}

/// The mistakes that an implementer of ring changes could make. They are made in the shells of the simulation.
enum RingMistake: String, CaseIterable, Sendable {
    /// The new set stands alone before a quorum has adopted the epoch of both.
    case finalTooEarly
    /// Readers ask the new set only while both are in force.
    case readOneSet
    /// The new set stands alone though nobody has brought it what was decided before.
    case countIncomplete
    /// Repair copies the highest state that it finds, decided or not.
    case copyUndecided
    /// Replicas serve requests of a ring that is older than what they have adopted.
    case acceptOldEpoch
    /// Replicas forget in a crash what they have adopted.
    case forgetAdoption
    /// Writers build on what the new replicas have instead of the old ones.
    case buildOnNewcomers
    /// Repair lists what replicas have before they have adopted the epoch of both sets.
    case listBeforeAdoption
    /// Tombstones are purged when a quorum holds them.
    case purgeWithoutProof
    /// A replica forgets what it purges.
    case purgeWithoutFloor
    /// New replicas do not take over what the old ones have purged.
    case joinWithoutFloor
}

extension RingChangeSimulation {
    /// For whoever looks into a failed run.
    var summary: String {
        let replicas = replicas.map { "\($0.name)\($0.isWiped ? " wiped" : "")\($0.isUp ? "" : " down") \($0.tags)" }
        return "\(table.partitions[0]), plan \(plan.map { "\($0)" } ?? "none"), \(replicas.joined(separator: "; "))"
    }
}

extension RingReplica {
    var tags: [Int: UInt64] { index.mapValues(\.tag.counter) }
}
