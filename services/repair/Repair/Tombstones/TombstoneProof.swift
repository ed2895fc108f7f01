import Model
import PlantedBugs
import Ring

/// Which tombstones every replica of their partition holds. A pure value.
struct TombstoneProof: Sendable {
    /// Partitions whose replicas do not change and may all answer.
    let partitions: [Int: [NodeName]]
    /// Whom to list, sorted.
    let nodes: [NodeName]
    /// Partitions that move, or of which a replica is silent: nothing is purged there.
    let leftOut: Int

    /// - Parameter silent: nodes that do not answer.
    init(_ ring: RingTable, silent: Set<NodeName> = []) {
        var partitions: [Int: [NodeName]] = [:]
        for (number, replicas) in ring.partitions.enumerated() where replicas.next.isEmpty {
            let answering = replicas.current.filter { !silent.contains($0) }
            guard answering.count == replicas.current.count || PlantedBug.purgeWithoutProof.isPlanted else { continue }
            partitions[number] = answering
        }
        self.partitions = partitions
        nodes = Set(partitions.values.joined()).sorted()
        leftOut = ring.partitionCount - partitions.count
    }

    func partitions(at node: NodeName) -> [Int] {
        partitions.filter { $0.value.contains(node) }.keys.sorted()
    }

    /// The tag that all replicas of the partition hold; nil: they do not hold the same tombstone.
    /// - Parameter tags: the tombstones that the nodes hold, in their order.
    func proved(_ partition: Int, _ tags: [Ballot?]) -> Ballot? {
        guard let replicas = partitions[partition], let first = replicas.first else { return nil }
        let held = Dictionary(uniqueKeysWithValues: zip(nodes, tags))
        if PlantedBug.purgeWithoutProof.isPlanted { return replicas.compactMap { held[$0] ?? nil }.max() }
        guard let tag = held[first] ?? nil, replicas.allSatisfy({ held[$0] == tag }) else { return nil }
        return tag
    }
}
