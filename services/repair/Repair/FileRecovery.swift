import ClusterState
import MessageBus
import Model
import ObjectAccess
import Wire

/// `recover-file`: makes all replicas of one object, and of its chunks, equal.
struct FileRecovery: Sendable {
    struct Report: Sendable, Equatable {
        var exists = false
        /// Replicas of the record that were behind.
        var replicasRepaired: [String] = []
        var chunks = 0
        var chunksRepaired = 0
    }

    private static let batchMax = 64

    let registers: RegisterClient
    let cluster: any ClusterViewing
    let concurrency: Int

    /// - Parameter path: BUCKET/KEY
    func name(of path: String) throws -> Model.RegisterName {
        let parts = path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty else { throw BusError(.invalidArgument, "expected BUCKET/KEY") }
        guard let bucket = cluster.view.buckets[String(parts[0])].flatMap({ BucketID($0.id) }) else {
            throw BusError(.notFound, "no bucket \(parts[0])")
        }
        return Model.RegisterName(bucket: bucket, key: Array(parts[1].utf8))
    }

    func run(path: String, handle: TaskHandle = TaskHandle()) async throws -> Report {
        let name = try name(of: path)
        let healing = ReplicaHealing(registers, observer: handle)
        var report = Report()
        report.replicasRepaired = try await healing.heal(name).map(\.rawValue)
        handle.update { $0.objects += UInt64(report.replicasRepaired.count) }
        guard let record = try await registers.read(name).liveRecord else { return report }
        report.exists = true
        let chunks = try ObjectRecord(decoding: record.bytes).blobs.flatMap(\.chunkNames)
        report.chunks = chunks.count
        handle.update { $0.total = UInt64(chunks.count) }
        for start in stride(from: 0, to: chunks.count, by: Self.batchMax) {
            let batch = Array(chunks[start..<min(start + Self.batchMax, chunks.count)])
            try await handle.admit(objects: batch.count)
            let healed = try await boundedMap(batch, concurrency: concurrency) {
                (chunk) async throws(AccessError) -> Int in try await healing.heal(chunk).count
            }.reduce(0, +)
            report.chunksRepaired += healed
            handle.update {
                $0.done += UInt64(batch.count)
                $0.objects += UInt64(healed)
            }
        }
        return report
    }
}

extension BlobReference {
    /// Empty for content that is stored beside its register.
    var chunkNames: [ChunkName] {
        guard let blob = BlobID(id) else { return [] }
        return (0..<chunkCount).map { ChunkName(blob: blob, index: $0) }
    }
}
