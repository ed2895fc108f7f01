import AccessTestKit
import Logging
import Model
import NIOCore
import ObjectAccess
import Observability
import Register
import Testing
import Wire

@testable import Repair

@Suite struct AntiEntropyTests: RegisterSamples {
    func antiEntropy(_ cluster: FakeStorageCluster) -> AntiEntropy {
        AntiEntropy(
            registers: cluster.makeClient(writer: 70), bus: cluster, cluster: cluster,
            concurrency: 3, metrics: RepairMetrics(MetricsRegistry()),
            logger: Logger(label: "test"))
    }

    /// A cluster with 30 objects on every replica, and some changes that `storage-3` has missed.
    func divergedCluster() async throws -> FakeStorageCluster {
        let cluster = FakeStorageCluster()
        let client = cluster.makeClient()
        for index in 0..<30 { try await put(client, "k\(index)", "content \(index)") }
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).registers.count == 30 } })
        cluster.set("storage-3", .down)
        for index in 0..<5 { try await put(client, "k\(index)", "newer \(index)") }
        _ = try await client.update(name("k9"), deleting: true) { _ in .write(.tombstone) }
        try await put(client, "extra", "only on two")
        cluster.set("storage-3", .up)
        return cluster
    }

    @Test("Equal replicas cost one message each")
    func quiet() async throws {
        let cluster = FakeStorageCluster()
        try await put(cluster.makeClient(), "k", "x")
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).registers.count == 1 } })
        let result = await antiEntropy(cluster).run(task: "test")
        #expect(result.state == .done && result.allEqual && result.partitionsDiffering == 0)
        #expect(cluster.sent(.digestPartitions) == 3 && cluster.sent(.listPartition) == 0)
    }

    @Test("A replica that missed writes and deletes is brought up to date, with a proof")
    func repairs() async throws {
        let cluster = try await divergedCluster()
        let result = await antiEntropy(cluster).run(task: "test")
        #expect(result.state == .done && result.allEqual)
        #expect(result.registersRepaired == 7)
        #expect(cluster.node("storage-3").registers == cluster.node("storage-1").registers)
        #expect(cluster.node("storage-3").registers[name("k9")]?.isLive == false)
        for record in cluster.node("storage-3").registers.values.compactMap(\.record) {
            #expect(record.blobs.allSatisfy { cluster.node("storage-3").blobs[$0] != nil })
        }
    }

    @Test("A wiped replica gets everything back")
    func wiped() async throws {
        let cluster = try await divergedCluster()
        cluster.change("storage-2") { $0 = FakeStorageNode() }
        #expect(await antiEntropy(cluster).run(task: "test").allEqual)
        #expect(cluster.node("storage-2").registers == cluster.node("storage-1").registers)
    }

    @Test("Missing chunks are copied to every replica that lacks them")
    func chunks() async throws {
        let cluster = FakeStorageCluster()
        let all = (0..<20 as Range<UInt32>).map { ChunkName(blob: BlobID(high: 3, low: 3), index: $0) }
        for (number, chunk) in all.enumerated() {
            cluster.change(cluster.names[number % 3]) { $0.chunks[chunk] = ByteBuffer(string: "\(number)") }
        }
        let result = await antiEntropy(cluster).run(task: "test")
        #expect(result.allEqual && result.chunksRepaired == 40)
        #expect(cluster.names.allSatisfy { cluster.node($0).chunks.count == 20 })
    }

    @Test("A half done write is finished before it is spread")
    func halfDone() async throws {
        let cluster = FakeStorageCluster()
        let half = RegisterState(
            tag: Ballot(counter: 4, writer: 1), sequence: 1, recentOperations: [],
            record: StoredRecord(bytes: [1, 2, 3]))
        cluster.change("storage-2") { $0.registers[name("k")] = half }
        #expect(await antiEntropy(cluster).run(task: "test").allEqual)
        let states = cluster.names.map { cluster.node($0).registers[name("k")] }
        #expect(states.allSatisfy { $0 == states[0] })
    }

    @Test("A dead node: the others are repaired, nothing is proved")
    func deadNode() async throws {
        let cluster = try await divergedCluster()
        cluster.change("storage-2") { $0.registers[name("k20")] = nil }
        cluster.set("storage-3", .down)
        let result = await antiEntropy(cluster).run(task: "test")
        #expect(!result.allEqual && result.partitionsIncomplete == 16)
        #expect(cluster.node("storage-2").registers[name("k20")] != nil)
    }

    @Test("One object is repaired on demand, with its chunks")
    func file() async throws {
        let cluster = FakeStorageCluster(buckets: ["photos": bucket])
        let blob = BlobID.random()
        let chunks = (0..<3 as Range<UInt32>).map { ChunkName(blob: blob, index: $0) }
        for chunk in chunks { cluster.change("storage-1") { $0.chunks[chunk] = ByteBuffer(string: "c") } }
        let record = ObjectRecord(version: 1, blobs: [BlobReference(id: blob.bytes, size: 3, chunkSize: 1)])
        cluster.set("storage-3", .down)
        let client = cluster.makeClient()
        _ = try await client.update(name("a/b.jpg")) { _ in .write(StoredRecord(bytes: record.encoded())) }
        cluster.set("storage-3", .up)
        let recovery = FileRecovery(registers: client, cluster: cluster, concurrency: 2)
        let report = try await recovery.run(path: "photos/a/b.jpg")
        #expect(report.exists && report.replicasRepaired == ["storage-3"])
        #expect(report.chunks == 3 && report.chunksRepaired == 6)
        #expect(try await recovery.run(path: "photos/a/b.jpg").chunksRepaired == 0)
        await #expect(throws: (any Error).self) { try await recovery.run(path: "nowhere/x") }
        await #expect(throws: (any Error).self) { try await recovery.run(path: "photos") }
    }
}
