import Model
import Register
import TestKit

/// What repair does for replicas that have lost their memory, one after the other, over the same faulty network.
final class MemoryHealer {
    /// No replica can be so far ahead of what the others know, except by a fence, which all of them have noted before.
    static let lead: UInt64 = 1 << 20
    private static let address = 90

    private unowned let simulation: RegisterSimulation
    private let client: ClientShell
    private let rule: QuorumRule
    /// Bounds that were found for one loss of one replica hold for good.
    private var bounds: [NodeName: (doubt: Int, bound: UInt64)] = [:]
    /// Steps of an earlier life do not go on.
    private var life = 0

    init(simulation: RegisterSimulation) {
        self.simulation = simulation
        client = ClientShell(writer: UInt64(Self.address), operations: 0, simulation: simulation)
        rule = simulation.healingRule
    }

    func start() { again() }

    /// The process dies and starts from the beginning.
    func crash() {
        life += 1
        bounds = [:]
        client.clock = WriterClock()
        again()
    }

    private func again() {
        let life = life
        simulation.scheduler.after(simulation.random.number(500..<6_000)) { [self] in
            if life == self.life { look() }
        }
    }

    // MARK: - Steps

    private func look() {
        gather({ $0.memory($1) }) { [self] (memories: [NodeName: ReplicaShell.Memory]) in
            let doubtful = rule.members.filter { memories[$0]!.doubt != 0 }
            let remembering = rule.members.filter { memories[$0]!.doubt == 0 }
            // Nobody may be trusted for what those say who have forgotten themselves.
            let isPossible = rule.isPrepareQuorum(Set(remembering)) || simulation.has(.trustForgetful)
            guard !doubtful.isEmpty, isPossible else {
                if simulation.needsHealing { again() }
                return
            }
            fence(simulation.random.pick(doubtful), memories)
        }
    }

    private func fence(_ target: NodeName, _ memories: [NodeName: ReplicaShell.Memory]) {
        let bound = bound(target, memories)
        let doubt = memories[target]!.doubt
        let healing = Healing(target: target, doubt: doubt, bound: bound, memories: memories)
        let others = rule.members.filter { $0 != target }
        let fenceTarget = { [self] in
            gather([target], { $0.fence(bound, doubt: doubt, $1) }) { [self] (_: [NodeName: Fenced]) in list(healing) }
        }
        gather({ $0.note(bound, $1) }) { [self] (_: [NodeName: Bool]) in
            if simulation.has(.trustWithoutFence) { return fenceTarget() }
            gather(others, { $0.fence(bound, doubt: nil, $1) }) { (_: [NodeName: Fenced]) in fenceTarget() }
        }
    }

    private typealias Fenced = FenceDecision<SimulatedRecord>
    private typealias Entries = [Int: (state: SimulatedState, isDoubtful: Bool)]

    private struct Healing {
        var target: NodeName
        var doubt: Int
        var bound: UInt64
        var memories: [NodeName: ReplicaShell.Memory]
    }

    private func bound(_ target: NodeName, _ memories: [NodeName: ReplicaShell.Memory]) -> UInt64 {
        let memory = memories[target]!
        if let bound = memory.bound { return bound }
        if let known = bounds[target], known.doubt == memory.doubt { return known.bound }
        let highest =
            simulation.has(.boundByOwnCeiling)
            ? simulation.replica(target).storedCeiling : memories.values.map(\.ceiling).max()! + Self.lead
        bounds[target] = (memory.doubt, highest)
        return highest
    }

    private func list(_ healing: Healing) {
        gather({ $0.list($1) }) { [self] (lists: [NodeName: Entries]) in
            let held = lists[healing.target]!.filter { !$0.value.isDoubtful }
            var keys = Set(lists.values.flatMap(\.keys)).subtracting(held.keys).sorted()
            if simulation.has(.trustUntaught), !keys.isEmpty { keys.removeLast() }
            teach(keys[...], healing, lists)
        }
    }

    private func teach(_ keys: ArraySlice<Int>, _ healing: Healing, _ lists: [NodeName: Entries]) {
        guard let key = keys.first else { return prove(healing) }
        let next = { [self] in teach(keys.dropFirst(), healing, lists) }
        if simulation.has(.teachUndecided) {
            let states = lists.filter { $0.key != healing.target }.values.compactMap { $0[key]?.state }
            guard !states.isEmpty else { return next() }
            let state = simulation.random.pick(states.sorted { $0.tag < $1.tag })
            return gather([healing.target], { $0.believe(key, state, $1) }) { (_: [NodeName: Bool]) in next() }
        }
        client.clock.observe(healing.bound)
        let (life, purged) = (life, simulation.purged)
        let run = WriteRun(client: client, key: key, blob: nil, rule: rule) { current in
            current == nil ? .write(purged.tombstone(of: key)) : .confirm
        } end: { [self] end in
            guard life == self.life else { return }
            guard case .success(let success) = end, let state = success.state else { return again() }
            learn(key, state, healing.target, next)
        }
        run.start()
    }

    private func learn(_ key: Int, _ state: SimulatedState, _ target: NodeName, _ next: @escaping () -> Void) {
        gather([target], { $0.learn(key, state, $1) }) { [self] (answers: [NodeName: LearnDecision<SimulatedRecord>]) in
            switch answers[target]!.answer {
            case .learned, .known: next()
            case .blobMissing:
                simulation.replica(target).storeBlob(of: state)
                learn(key, state, target, next)
            case .tooOld, .abstained: again()
            }
        }
    }

    /// Those on whose memory it was healed must have it still, and nothing more must be forgotten.
    private func prove(_ healing: Healing) {
        gather({ $0.memory($1) }) { [self] (memories: [NodeName: ReplicaShell.Memory]) in
            let remembered = healing.memories.allSatisfy { node, before in
                node == healing.target || before.doubt != 0 || memories[node]!.doubt == 0
            }
            guard remembered, memories[healing.target]!.doubt == healing.doubt else { return again() }
            // What the others have purged before they were listed, the target does not know of.
            let floor = memories.values.reduce(PurgeFloor.zero) { $0.joined(with: $1.floor) }
            guard !simulation.has(.trustWithoutFloor) else { return trust(healing) }
            gather([healing.target], { $0.raiseFloor(to: floor, $1) }) { [self] (_: [NodeName: Bool]) in trust(healing)
            }
        }
    }

    private func trust(_ healing: Healing) {
        gather([healing.target], { $0.trust(healing.doubt, bound: healing.bound, $1) }) {
            [self] (_: [NodeName: Bool]) in
            again()
        }
    }

    // MARK: - Messages

    private func gather<Answer>(
        _ request: @escaping (ReplicaShell, @escaping (Answer) -> Void) -> Void,
        then: @escaping ([NodeName: Answer]) -> Void
    ) { gather(rule.members, request, then: then) }

    /// Asks some replicas and goes on when all have answered; begins again when one does not in time.
    private func gather<Answer>(
        _ nodes: [NodeName], _ request: @escaping (ReplicaShell, @escaping (Answer) -> Void) -> Void,
        then: @escaping ([NodeName: Answer]) -> Void
    ) {
        let life = life
        var answers: [NodeName: Answer] = [:]
        var isOver = false
        func ask() {
            for node in nodes where answers[node] == nil {
                _ = client.exchange(node, request) { answer in
                    guard !isOver, life == self.life else { return }
                    answers[node] = answer
                    guard answers.count == nodes.count else { return }
                    isOver = true
                    then(answers)
                }
            }
        }
        ask()
        for wait in [8_000, 16_000] { simulation.scheduler.after(wait) { if !isOver, life == self.life { ask() } } }
        simulation.scheduler.after(40_000) { [self] in
            guard !isOver, life == self.life else { return }
            isOver = true
            again()
        }
    }
}
