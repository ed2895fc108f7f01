import Model
import Ring
import Wire

/// One partition whose replicas differ.
struct PartitionWork: Sendable, Equatable {
    var partition: Int
    /// Replicas that take part: those that answered.
    var replicas: [NodeName]
    var registers: Bool
    var chunks: Bool
    /// Keys that are to be compared one by one, by the replica that has the most.
    var keys: UInt64 = 0
}

/// Partitions with the same replicas, compared in one walk over the indexes of these nodes.
struct RepairGroup: Sendable, Equatable {
    var replicas: [NodeName]
    var partitions: [Int]
}

/// Which partitions are to be compared key by key. A pure value.
struct RepairPlan: Sendable, Equatable {
    var work: [PartitionWork] = []
    /// Partitions of which at least two replicas answered.
    var compared = 0
    /// Partitions of which some replica did not answer: nothing is proved for these.
    var incomplete = 0

    /// - Parameters:
    ///   - digests: by node that answered; a partition without a digest is empty there.
    ///   - node: only the partitions of this node; nil: all.
    init(ring: RingTable, digests: [NodeName: [Int: PartitionDigest]], node: NodeName? = nil) {
        for (partition, assignment) in ring.partitions.enumerated() {
            let replicas = assignment.nodes
            if let node, !replicas.contains(node) { continue }
            let answered = replicas.filter { digests[$0] != nil }
            if answered.count < replicas.count { incomplete += 1 }
            guard answered.count > 1 else { continue }
            compared += 1
            let found = answered.map { digests[$0]?[partition] ?? PartitionDigest() }
            let first = found[0]
            var item = PartitionWork(
                partition: partition, replicas: answered,
                registers: !found.allSatisfy { $0.digest == first.digest && $0.registers == first.registers },
                chunks: !found.allSatisfy { $0.chunkDigest == first.chunkDigest && $0.chunks == first.chunks })
            if item.registers { item.keys += found.map(\.registers).max() ?? 0 }
            if item.chunks { item.keys += found.map(\.chunks).max() ?? 0 }
            if item.registers || item.chunks { work.append(item) }
        }
    }

    /// What is to be compared one by one.
    var keys: UInt64 { work.reduce(0) { $0 &+ $1.keys } }

    var registerGroups: [RepairGroup] { Self.groups(work.filter(\.registers)) }
    var chunkGroups: [RepairGroup] { Self.groups(work.filter(\.chunks)) }

    private static func groups(_ work: [PartitionWork]) -> [RepairGroup] {
        Dictionary(grouping: work) { $0.replicas.sorted() }
            .map { RepairGroup(replicas: $0.key, partitions: $0.value.map(\.partition)) }
            .sorted { $0.partitions[0] < $1.partitions[0] }
    }
}
