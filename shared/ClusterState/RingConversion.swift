import Model
import Ring
import Wire

/// A stored ring that cannot be one.
public struct RingRecordError: Error, Sendable, CustomStringConvertible {
    public let description: String
}

extension RingTable {
    /// The table that the manager stored.
    public init(_ record: RingRecord, hashKey: [UInt8]) throws(RingRecordError) {
        var partitions: [PartitionReplicas] = []
        partitions.reserveCapacity(record.partitions.count)
        for partition in record.partitions {
            partitions.append(
                PartitionReplicas(
                    current: try names(partition.current, of: record), next: try names(partition.next, of: record),
                    epoch: partition.epoch))
        }
        guard let table = RingTable(epoch: record.epoch, hashKey: hashKey, partitions: partitions) else {
            throw RingRecordError(
                description: "\(partitions.count) partitions, hash key of \(hashKey.count) bytes, or double replicas")
        }
        self = table
    }
}

private func names(_ indices: [UInt32], of record: RingRecord) throws(RingRecordError) -> [NodeName] {
    var names: [NodeName] = []
    for index in indices {
        guard record.nodes.indices.contains(Int(index)) else {
            throw RingRecordError(description: "node \(index) of \(record.nodes.count)")
        }
        names.append(NodeName(record.nodes[Int(index)]))
    }
    return names
}

extension RingRecord {
    /// What the manager stores of a table.
    public init(_ table: RingTable) {
        let indices = Dictionary(uniqueKeysWithValues: table.nodes.enumerated().map { ($1, UInt32($0)) })
        let partitions = table.partitions.map { replicas in
            PartitionAssignment(
                current: replicas.current.map { indices[$0]! }, next: replicas.next.map { indices[$0]! },
                epoch: replicas.epoch)
        }
        self.init(epoch: table.epoch, nodes: table.nodes.map(\.rawValue), partitions: partitions)
    }
}
