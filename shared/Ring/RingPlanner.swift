import Model

/// A storage node as the planner sees it.
public struct RingNode: Sendable, Hashable {
    public var name: NodeName
    /// Nodes of one zone (rack, host) may fail together. Empty names are a zone like any other.
    public var zone: String
    /// Capacity in any unit, the same for all nodes.
    public var weight: UInt64

    public init(name: NodeName, zone: String = "", weight: UInt64 = 1) {
        self.name = name
        self.zone = zone
        self.weight = weight
    }
}

/// Why no ring can be made of these nodes.
public enum RingPlanError: Error, Sendable, Equatable {
    case tooFewNodes(needed: Int, given: Int)
    case invalidReplicas(Int)
    case invalidPartitions(Int)
    case invalidHashKey
    /// Two nodes of one name, or a node without weight.
    case invalidNode(NodeName)
    /// Partitions still move: another plan is not finished.
    case moving
}

/// Places the replicas of all partitions.
public enum RingPlanner {
    /// Deterministic; every node gets its share by weight to within one replica, as far as zones allow; no two replicas
    /// of a partition are in one zone while there are enough zones, else as few as possible; as little as that allows
    /// moves away from `previous`.
    ///
    /// Shares are computed first (`RingQuota`), then the old assignment is cut down to them, filled up greedily, and
    /// what is left is placed along shortest augmenting paths (`RingMatching`), which always find a place: a split of
    /// all shares evenly over the partitions is a fractional solution, and so there is a whole one. At last replicas go
    /// back to where they were, by exchanges that move nothing else.
    public static func assign(
        nodes: [RingNode], replicas: Int, partitions: Int, previous: RingTable? = nil, epoch: UInt64, hashKey: [UInt8]
    ) throws(RingPlanError) -> RingTable {
        let nodes = nodes.sorted { $0.name < $1.name }
        try validate(nodes, replicas: replicas, partitions: partitions)
        let quota = RingQuota(nodes: nodes, replicas: replicas, partitions: partitions)
        var matching = RingMatching(nodes: nodes, replicas: replicas, partitions: partitions, quota: quota)
        let old = previous.flatMap { $0.partitionCount == partitions ? $0 : nil }
        if let old { matching.keep(old) }
        matching.complete()
        if let old { matching.bringBack(old) }
        let sets = PreferenceOrder(nodes: nodes).arrange(matching.sets, previous: old)
        let table = sets.enumerated().map { index, names in
            let unchanged = old.map { $0.partitions[index].current == names } ?? false
            return PartitionReplicas(current: names, epoch: unchanged ? old!.partitions[index].epoch : epoch)
        }
        guard let ring = RingTable(epoch: epoch, hashKey: hashKey, partitions: table) else {
            throw .invalidHashKey
        }
        return ring
    }

    private static func validate(
        _ nodes: [RingNode], replicas: Int, partitions: Int
    ) throws(RingPlanError) {
        guard (1...ConsistencyLevel.replicasMax).contains(replicas) else { throw .invalidReplicas(replicas) }
        guard partitions.isPowerOfTwo, partitions <= RingTable.partitionsMax else {
            throw .invalidPartitions(partitions)
        }
        if let bad = nodes.first(where: { $0.weight == 0 || $0.weight > 1 << 50 }) { throw .invalidNode(bad.name) }
        if let twin = zip(nodes, nodes.dropFirst()).first(where: { $0.name == $1.name }) {
            throw .invalidNode(twin.0.name)
        }
        guard nodes.count >= replicas else { throw .tooFewNodes(needed: replicas, given: nodes.count) }
    }
}
