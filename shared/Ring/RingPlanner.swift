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
}

/// Places the replicas of all partitions.
public enum RingPlanner {
    /// Deterministic; balanced by weight; no two replicas of a partition in one zone while there are enough zones; as
    /// little movement from `previous` as that allows.
    public static func assign(
        nodes: [RingNode], replicas: Int, partitions: Int, previous: RingTable? = nil, epoch: UInt64, hashKey: [UInt8]
    ) throws(RingPlanError) -> RingTable {
        throw .tooFewNodes(needed: replicas, given: nodes.count)
    }
}
