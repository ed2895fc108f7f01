import Model
import Register
import Ring

/// What has to be brought where so that the new sets of the partitions that move are complete. A pure value.
struct MovePlan: Sendable {
    /// What one register needs.
    enum Need: Sendable, Equatable {
        case nothing
        /// The state with this tag is decided, as far as any later writer can tell: these have it, those lack it.
        case copy(Ballot, from: [NodeName], to: [NodeName])
        /// Nobody can tell: it is to be decided again above this ballot, and brought to all of these.
        case decide(above: Ballot, to: [NodeName])
    }

    /// Partitions that can be proved: enough replicas of each set take part.
    let partitions: [Int: PartitionReplicas]
    /// Whom to list, sorted.
    let nodes: [NodeName]
    private let level: ConsistencyLevel
    /// Of the old sets, with those who do not take part.
    private let sizes: [Int: Int]

    /// - Parameter ready: nodes that serve nothing older than both sets any more, and have lost no records.
    init(_ ring: RingTable, level: ConsistencyLevel, ready: Set<NodeName>) {
        self.level = level
        var partitions: [Int: PartitionReplicas] = [:]
        for (number, replicas) in ring.partitions.enumerated() where !replicas.next.isEmpty {
            let old = replicas.current.count(where: ready.contains)
            guard replicas.next.allSatisfy(ready.contains),
                old >= level.inSet(of: replicas.current.count).meetingEveryQuorum
            else { continue }
            partitions[number] = PartitionReplicas(
                current: replicas.current.filter(ready.contains), next: replicas.next, epoch: replicas.epoch)
        }
        self.partitions = partitions
        nodes = Set(partitions.values.flatMap(\.nodes)).sorted()
        sizes = Dictionary(uniqueKeysWithValues: partitions.keys.map { ($0, ring.partitions[$0].current.count) })
    }

    /// The partitions for which a node is to be listed.
    func partitions(at node: NodeName) -> [Int] {
        partitions.filter { $0.value.nodes.contains(node) }.keys.sorted()
    }

    /// - Parameter tags: what the nodes of the plan have, in their order.
    func need(_ partition: Int, _ tags: [Ballot?]) -> Need {
        guard let replicas = partitions[partition], let size = sizes[partition] else { return .nothing }
        let held = Dictionary(uniqueKeysWithValues: zip(nodes, tags)).filter { replicas.nodes.contains($0.key) }
        let top = held.values.compactMap(\.self).max() ?? .zero
        let behind = replicas.next.filter { (held[$0] ?? nil) ?? .zero < top }
        guard top > .zero, !behind.isEmpty else { return .nothing }
        let holders = replicas.current.filter { held[$0] == top }
        guard holders.count >= max(level.inSet(of: size).write, level.inSet(of: size).delete) else {
            return .decide(above: top, to: replicas.next)
        }
        return .copy(top, from: holders, to: behind)
    }

    /// Nodes of the new set that lack a chunk which the old set has.
    func lacking(_ partition: Int, _ has: [Bool]) -> [NodeName] {
        guard let replicas = partitions[partition] else { return [] }
        let holders = Set(zip(nodes, has).filter(\.1).map(\.0))
        guard replicas.current.contains(where: holders.contains) else { return [] }
        return replicas.next.filter { !holders.contains($0) }
    }
}
