import Model
import Register
import Ring
import TestKit

/// What repair does for a partition that moves: it brings the new set everything that was decided, and proves it.
final class RingMover {
    private static let address = 90

    private unowned let simulation: RingChangeSimulation
    private let client: RingClient
    private var isStopped = false
    /// Steps of an earlier life do not go on.
    private var life = 0

    init(simulation: RingChangeSimulation) {
        self.simulation = simulation
        client = RingClient(writer: UInt64(Self.address), operations: 0, simulation: simulation)
    }

    func start() { again() }

    func stop() { isStopped = true }

    /// The process dies and starts from the beginning.
    func crash() {
        life += 1
        client.clock = WriterClock()
        again()
    }

    private func again() {
        guard !isStopped else { return }
        let life = life
        simulation.scheduler.after(simulation.random.number(500..<5_000)) { [self] in
            guard life == self.life else { return }
            client.refresh { [self] in
                if life == self.life { look() }
            }
        }
    }

    // MARK: - Steps

    private typealias Lists = [NodeName: [Int: SimulatedState]]

    private func look() {
        let (table, replicas) = (client.table, client.table.partitions[0])
        guard !replicas.next.isEmpty else { return again() }
        if simulation.has(.listBeforeAdoption) { return list(replicas.nodes, replicas) }
        gather(replicas.nodes, { $0.adopt(table.epoch, $1) }) { [self] (answers: [NodeName: RingReplica.Adoption]) in
            carryFloor(answers.filter { $0.value.epoch == table.epoch }, replicas)
        }
    }

    /// Nobody purges by the older ring any more. The new replicas take over what the others have purged before they are
    /// listed: else something older could come to them behind their list.
    private func carryFloor(_ adopted: [NodeName: RingReplica.Adoption], _ replicas: PartitionReplicas) {
        let floor = adopted.values.reduce(PurgeFloor.zero) { $0.joined(with: $1.floor) }
        let behind = replicas.next.filter { adopted[$0].map { $0.floor != floor } ?? false }
        if behind.isEmpty || simulation.has(.joinWithoutFloor) { return list(adopted.keys.sorted(), replicas) }
        gather(behind, { $0.raiseFloor(to: floor, $1) }) { [self] (raised: [NodeName: Bool]) in
            guard raised.count == behind.count else { return again() }
            list(adopted.keys.sorted(), replicas)
        }
    }

    /// - Parameter nodes: those that serve no request of the old set alone any more.
    private func list(_ nodes: [NodeName], _ replicas: PartitionReplicas) {
        gather(nodes, { $0.list($1) }) { [self] (answers: [NodeName: [Int: SimulatedState]?]) in
            let lists = answers.compactMapValues { $0 }
            let needed = simulation.level.inSet(of: replicas.current.count).meetingEveryQuorum
            guard replicas.next.allSatisfy({ lists[$0] != nil }),
                replicas.current.count(where: { lists[$0] != nil }) >= needed
            else { return again() }
            let differing = Set(lists.values.flatMap(\.keys)).sorted().filter { key in
                let top = lists.values.map { $0[key]?.tag ?? .zero }.max()!
                return replicas.next.contains { lists[$0]![key]?.tag ?? .zero != top }
            }
            bring(differing[...], lists, replicas)
        }
    }

    private func bring(_ keys: ArraySlice<Int>, _ lists: Lists, _ replicas: PartitionReplicas) {
        guard let key = keys.first else {
            report(epoch: replicas.epoch)
            return again()
        }
        bring(key, lists, replicas) { [self] isDone in
            if isDone { bring(keys.dropFirst(), lists, replicas) } else { again() }
        }
    }

    private func bring(
        _ key: Int, _ lists: Lists, _ replicas: PartitionReplicas, _ then: @escaping (Bool) -> Void
    ) {
        let top = lists.values.compactMap { $0[key] }.max { $0.tag < $1.tag }!
        let old = QuorumRule(sets: [replicas.current], level: simulation.level)
        let holders = Set(replicas.current.filter { lists[$0]?[key]?.tag == top.tag })
        let behind = replicas.next.filter { lists[$0]![key]?.tag ?? .zero < top.tag }
        if simulation.has(.copyUndecided) || old.isDecided(heldBy: old.memberSet(holders)) {
            return teach(key, top, behind, then)
        }
        // Above everything that anybody has, so that nothing undecided is left in the new set.
        client.clock.observe(top.tag.counter)
        let life = life
        RingWrite(client: client, key: key) { [simulation] current in
            current == nil ? .write(simulation.purged.tombstone(of: key)) : .confirm
        } end: { [self] end in
            guard life == self.life else { return }
            guard case .success(let success) = end, let state = success.state else { return again() }
            teach(key, state, replicas.next.filter { !success.holders.contains($0) }, then)
        }.start()
    }

    private func teach(_ key: Int, _ state: SimulatedState, _ nodes: [NodeName], _ then: @escaping (Bool) -> Void) {
        gather(nodes, { $0.learn(key, state, $1) }) { (answers: [NodeName: LearnAnswer]) in
            then(nodes.allSatisfy { answers[$0] == .learned || answers[$0] == .known })
        }
    }

    private func report(epoch: UInt64) {
        simulation.network.send(from: Self.address, to: 80) { [simulation] in simulation.manager.proved(epoch: epoch) }
    }

    /// Asks all of them, and goes on when all have answered or the time is over.
    private func gather<Answer>(
        _ nodes: [NodeName], _ request: @escaping (RingReplica, @escaping (Answer) -> Void) -> Void,
        _ then: @escaping ([NodeName: Answer]) -> Void
    ) {
        var answers: [NodeName: Answer] = [:]
        var isOver = false
        let life = life
        func finish() {
            guard !isOver, life == self.life else { return }
            isOver = true
            then(answers)
        }
        for node in nodes {
            _ = client.exchange(node, request) { (answer: Answer) in
                answers[node] = answer
                if answers.count == nodes.count { finish() }
            }
        }
        simulation.scheduler.after(nodes.isEmpty ? 0 : 10_000, finish)
    }
}
