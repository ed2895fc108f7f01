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
    /// How long a writer waits for answers, in microseconds.
    let patience: Int
    /// What gateways send to this replica arrives late, in any order; repair reaches it as usual.
    private(set) var slowForGateways: NodeName?
    /// Some commits reach one replica long before the others.
    let scattersCommits: Bool
    /// Longest sync, in microseconds.
    let syncMax: Int
    var random: SeededGenerator
    private(set) var replicas: [ReplicaShell] = []
    private(set) var clients: [ClientShell] = []

    /// What goes wrong besides messages, crashes and cuts.
    enum Scenario {
        /// Disks are replaced for good, single records cannot be read.
        case damage
        /// Replicas lose records of unknown keys, and are healed by repair.
        case memoryLoss
    }

    /// Numbers of the replicas; two sets: a partition that moves.
    private static let layouts: [[ClosedRange<Int>]] = [[1...3], [1...3], [1...5], [1...4], [1...1], [1...3, 3...5]]
    private static let layoutsThatForget: [[ClosedRange<Int>]] = [
        [1...3], [1...3], [1...5], [1...4], [1...2], [1...3, 3...5],
    ]

    private let mistake: PlantedMistake?
    private var operations = 0
    private var clientsDone = 0
    private(set) var isHealed = false
    let healingRule: QuorumRule
    private let scenario: Scenario
    private var healer: MemoryHealer?
    private var purger: TombstonePurger?
    let purged = PurgedChains()
    let deletesOften: Bool
    private var settledAt = 0
    private var repairClock = WriterClock()
    private var repairs: [ClientShell] = []

    init(seed: UInt64, scenario: Scenario = .damage, mistake: PlantedMistake? = nil) {
        var random = SeededGenerator(seed: seed)
        let layouts = scenario == .damage ? Self.layouts : Self.layoutsThatForget
        let sets = random.pick(layouts).map { $0.map { NodeName("storage-\($0)") } }
        self.scenario = scenario
        rule = QuorumRule(sets: sets, level: .majority(of: sets[0].count))
        healingRule = QuorumRule(healing: sets, level: .majority(of: sets[0].count))
        keys = random.pick(scenario == .damage ? [1, 1, 2] : [1, 3, 6])
        syncMax = random.pick([200, 2_000, 20_000])
        scattersCommits = scenario == .memoryLoss
        // Commits that arrive after the replica that had taken them first has lost them, and was healed.
        let isForgetful = scenario == .memoryLoss
        patience = isForgetful ? random.pick([20_000, 100_000]) : 20_000
        let faults = NetworkFaults(
            loss: random.pick([0, 0.02, 0.1]), duplication: random.pick([0, 0.02, 0.1]),
            delay: random.pick([100..<300, 100..<3_000]),
            lateness: random.pick(isForgetful ? [0.02, 0.1, 0.3] : [0, 0.02, 0.1]))
        network = SimulatedNetwork(scheduler: scheduler, faults: faults, seed: random.next())
        deletesOften = random.chance(0.5)
        self.random = random
        self.mistake = mistake
        if isForgetful, self.random.chance(0.5) { slowForGateways = self.random.pick(rule.members) }
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
        switch scenario {
        case .damage: scheduleFaults()
        case .memoryLoss: scheduleLosses()
        }
        if let pause = random.pick([nil, 500..<4_000, 2_000..<20_000]) {
            purger = TombstonePurger(simulation: self, pause: pause)
            purger?.start()
        }
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
        slowForGateways = nil
        guard scenario == .memoryLoss else { return scheduleLastReads(waiting: 0) }
        // What is still under way may yet change who is in doubt.
        settledAt = scheduler.now + 200_000
        scheduler.after(200_000) { [self] in scheduleLastReads(waiting: 40) }
    }

    /// As soon as repair has done what it can.
    private func scheduleLastReads(waiting: Int) {
        if hasDoubt, !isBeyondHealing, waiting > 0 {
            return scheduler.after(100_000) { [self] in scheduleLastReads(waiting: waiting - 1) }
        }
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

    private func scheduleLosses() {
        let healer = MemoryHealer(simulation: self)
        self.healer = healer
        let replicaCrashes = random.pick([0, 0.1, 0.4])
        let losses = random.pick([0.1, 0.3])
        let clientCrashes = random.pick([0, 0, 0.15])
        let healerCrashes = random.pick([0, 0.1])
        let cuts = random.pick([0, 0.2])
        // Now and then more replicas lose their memory than the others can make up for.
        let isCareless = random.chance(0.2)
        func tick() {
            guard !isHealed else { return }
            if random.chance(replicaCrashes) { crash() }
            let victim = random.chance(0.5) ? loneHolder ?? random.pick(replicas) : random.pick(replicas)
            if random.chance(losses), isCareless || mayForget(victim) { victim.loseMemory() }
            if random.chance(clientCrashes) { random.pick(clients).crash() }
            if random.chance(healerCrashes) { healer.crash() }
            if random.chance(cuts) { cut() }
            scheduler.after(random.number(1_000..<8_000), tick)
        }
        scheduler.after(random.number(0..<5_000), tick)
        healer.start()
    }

    /// A replica that alone has the newest state of some key.
    private var loneHolder: ReplicaShell? {
        for key in 0..<keys {
            let newest = replicas.compactMap { $0.index[key]?.tag }.max() ?? .zero
            let holders = replicas.filter { $0.index[key]?.tag == newest }
            if holders.count == 1 { return holders[0] }
        }
        return nil
    }

    private func mayForget(_ replica: ReplicaShell) -> Bool { canHeal { $0 !== replica && !$0.isInDoubt } }

    private func canHeal(with isRemembering: (ReplicaShell) -> Bool) -> Bool {
        healingRule.isPrepareQuorum(rule.memberSet(replicas.filter(isRemembering).map(\.name)))
    }

    /// Or may need it later.
    var needsHealing: Bool { !isHealed || hasDoubt && (!isBeyondHealing || scheduler.now <= settledAt) }

    private var hasDoubt: Bool { replicas.contains(where: \.isInDoubt) }
    /// Too few replicas remember.
    private var isBeyondHealing: Bool { !canHeal { !$0.isInDoubt } }

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
        if hasDoubt, !isBeyondHealing { return "a loss of memory was not healed although all are up" }
        for client in clients where !hasDoubt && client.history.suffix(keys).contains(where: { $0.outcome != .ok }) {
            return "a last read failed although everything had healed"
        }
        let observations = clients.flatMap(\.observations)
        for key in 0..<keys {
            let chain = ChainCheck(observations.filter { $0.key == key })
            if let violation = chain.violation() { return "key \(key): \(violation)" }
            let ignorant = replicas.filter {
                !$0.isWiped && !$0.unreadable.contains(key) && !$0.isDoubtful(key)
                    && !chain.isKnown(to: purged.known($0.index[key], $0.storedFloor, of: key))
            }
            if rule.isReadQuorum(rule.memberSet(ignorant.map(\.name))) {
                return "key \(key): a quorum does not know what was answered"
            }
        }
        return nil
    }
}
