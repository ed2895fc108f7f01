import ClusterState
import MessageBus
import Model
import ObjectAccess
import Wire

/// `recover-file`: makes all replicas of one object, and of its chunks, equal.
struct FileRecovery: Sendable {
    struct Report: Codable, Sendable, Equatable {
        var result = "OK"
        var exists = false
        /// Replicas of the record that were behind.
        var replicasRepaired: [String] = []
        var chunks = 0
        var chunksRepaired = 0
    }

    let registers: RegisterClient
    let cluster: any ClusterViewing
    let concurrency: Int

    /// - Parameter path: BUCKET/KEY
    func run(path: String) async throws -> Report {
        let parts = path.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard parts.count == 2, !parts[1].isEmpty else { throw BusError(.invalidArgument, "expected BUCKET/KEY") }
        guard let bucket = cluster.view.buckets[String(parts[0])].flatMap({ BucketID($0.id) }) else {
            throw BusError(.notFound, "no bucket \(parts[0])")
        }
        let name = Model.RegisterName(bucket: bucket, key: Array(parts[1].utf8))
        let healing = ReplicaHealing(registers)
        var report = Report()
        report.replicasRepaired = try await healing.heal(name).map(\.rawValue)
        guard let record = try await registers.read(name).liveRecord else { return report }
        report.exists = true
        let chunks = try ObjectRecord(decoding: record.bytes).blobs.flatMap(\.chunkNames)
        report.chunks = chunks.count
        let healed = try await boundedMap(chunks, concurrency: concurrency) {
            (chunk) async throws(AccessError) -> Int in try await healing.heal(chunk).count
        }
        report.chunksRepaired = healed.reduce(0, +)
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
