import MessageBus
import Model
import Wire

/// Asks storage nodes for digests and for the contents of partitions.
struct PartitionReader: Sendable {
    static let pageSize: UInt32 = 1000
    private static let timeout = Duration.seconds(10)

    let bus: any RequestSending

    /// A node is busy while it makes its digests for the first time.
    private static let digestAttemptsMax = 10

    /// nil: the node does not answer, or not as it should.
    func digests(of node: NodeName, partitions: [Int] = []) async -> [Int: PartitionDigest]? {
        let request = DigestPartitionsRequest(partitions: partitions.map(UInt32.init))
        for _ in 0..<Self.digestAttemptsMax {
            do throws(BusError) {
                let reply = try await bus.request(
                    .digestPartitions, request, to: node, timeout: Self.timeout, answer: DigestPartitionsReply.self
                ).message
                return Dictionary(reply.digests.map { (Int($0.partition), $0) }) { first, _ in first }
            } catch {
                guard error.status == .overloaded else { return nil }
                try? await Task.sleep(for: .milliseconds(500))
            }
        }
        return nil
    }

    func registers(
        _ partitions: [Int], at node: NodeName, after cursor: [UInt8]
    ) async throws(BusError) -> Page<Model.RegisterName> {
        let reply = try await page(partitions, node, cursor, chunks: false)
        let items = reply.entries.compactMap { entry in
            Model.RegisterName(entry.name).map {
                // What may not be the newest that the replica had differs from whatever the others have.
                PartitionMerge<Model.RegisterName>.Item(key: $0, tag: entry.doubtful ? .zero : Ballot(entry.tag))
            }
        }
        return Page(items: items, cursor: reply.cursor, doubtful: reply.entries.count(where: \.doubtful))
    }

    func chunks(
        _ partitions: [Int], at node: NodeName, after cursor: [UInt8]
    ) async throws(BusError) -> Page<ChunkName> {
        let reply = try await page(partitions, node, cursor, chunks: true)
        let items = reply.entries.compactMap { entry in
            BlobID(entry.blob).map {
                PartitionMerge<ChunkName>.Item(key: ChunkName(blob: $0, index: entry.index), tag: .zero)
            }
        }
        return Page(items: items, cursor: reply.cursor)
    }

    private func page(
        _ partitions: [Int], _ node: NodeName, _ cursor: [UInt8], chunks: Bool
    ) async throws(BusError) -> ListPartitionReply {
        let numbers = partitions.map(UInt32.init)
        let request = ListPartitionRequest(
            partition: numbers.first ?? 0, after: cursor, limit: Self.pageSize, chunks: chunks,
            partitions: Array(numbers.dropFirst()))
        let reply = try await bus.request(
            .listPartition, request, to: node, timeout: Self.timeout, answer: ListPartitionReply.self
        ).message
        // Or the comparison would never end.
        guard reply.cursor.isEmpty || reply.cursor != cursor else {
            throw BusError(.malformed, "\(node) does not get on with its list of partitions")
        }
        return reply
    }
}

/// Part of what a replica has, in order; an empty cursor is the end.
struct Page<Key: Comparable & Sendable>: Sendable {
    var items: [PartitionMerge<Key>.Item]
    var cursor: [UInt8]
    /// How many of them may not be the newest that the replica had.
    var doubtful = 0
}
