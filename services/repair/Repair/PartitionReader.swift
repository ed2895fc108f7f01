import MessageBus
import Model
import Wire

/// Asks storage nodes for digests and for the contents of partitions.
struct PartitionReader: Sendable {
    static let pageSize: UInt32 = 1000
    private static let timeout = Duration.seconds(10)

    let bus: any RequestSending

    /// nil: the node does not answer, or not as it should.
    func digests(of node: NodeName, partitions: [Int] = []) async -> [Int: PartitionDigest]? {
        let request = DigestPartitionsRequest(partitions: partitions.map(UInt32.init))
        let reply = try? await bus.request(
            .digestPartitions, request, to: node, timeout: Self.timeout, answer: DigestPartitionsReply.self
        ).message
        return reply.map { reply in
            Dictionary(reply.digests.map { (Int($0.partition), $0) }) { first, _ in first }
        }
    }

    func registers(
        _ partition: Int, at node: NodeName, after cursor: [UInt8]
    ) async throws(BusError) -> (items: [PartitionMerge<Model.RegisterName>.Item], cursor: [UInt8]) {
        let reply = try await page(partition, node, cursor, chunks: false)
        let items = reply.entries.compactMap { entry in
            Model.RegisterName(entry.name).map {
                PartitionMerge<Model.RegisterName>.Item(key: $0, tag: Ballot(entry.tag))
            }
        }
        return (items, reply.cursor)
    }

    func chunks(
        _ partition: Int, at node: NodeName, after cursor: [UInt8]
    ) async throws(BusError) -> (items: [PartitionMerge<ChunkName>.Item], cursor: [UInt8]) {
        let reply = try await page(partition, node, cursor, chunks: true)
        let items = reply.entries.compactMap { entry in
            BlobID(entry.blob).map {
                PartitionMerge<ChunkName>.Item(key: ChunkName(blob: $0, index: entry.index), tag: .zero)
            }
        }
        return (items, reply.cursor)
    }

    private func page(
        _ partition: Int, _ node: NodeName, _ cursor: [UInt8], chunks: Bool
    ) async throws(BusError) -> ListPartitionReply {
        let request = ListPartitionRequest(
            partition: UInt32(partition), after: cursor, limit: Self.pageSize, chunks: chunks)
        return try await bus.request(
            .listPartition, request, to: node, timeout: Self.timeout, answer: ListPartitionReply.self
        ).message
    }
}
