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

@Suite struct ReleaseCollectionTests: RegisterSamples {
    let blob = BlobID(high: 8, low: 8)
    let grace = Duration.seconds(900)
    let old: Int64 = 1_000_000

    func collection(_ cluster: FakeStorageCluster) -> ReleaseCollection {
        ReleaseCollection(
            registers: cluster.makeClient(writer: 70), bus: cluster, cluster: cluster,
            settings: .init(grace: grace, concurrency: 3),
            metrics: ReleaseMetrics(MetricsRegistry()), logger: Logger(label: "test"))
    }

    var reference: BlobReference { BlobReference(id: blob.bytes, size: 30, chunkSize: 10) }

    /// Every node has the three chunks of the blob and a release of it.
    func cluster(of register: Model.RegisterName, objectKey: String = "", age: Int64? = nil) -> FakeStorageCluster {
        let cluster = FakeStorageCluster()
        for node in cluster.names {
            cluster.change(node) { state in
                for index in 0..<3 as Range<UInt32> {
                    state.chunks[ChunkName(blob: blob, index: index)] = ByteBuffer(string: "c")
                }
                state.releases = [
                    Release(
                        id: [1], name: Wire.RegisterName(register), objectKey: Array(objectKey.utf8),
                        blobs: [reference], notedMilliseconds: age ?? old)
                ]
            }
        }
        return cluster
    }

    func write(_ cluster: FakeStorageCluster, _ name: Model.RegisterName, _ record: [UInt8]) async throws {
        _ = try await cluster.makeClient().update(name) { _ in .write(StoredRecord(bytes: record)) }
        #expect(await eventually { cluster.names.allSatisfy { cluster.node($0).registers[name] != nil } })
    }

    func chunks(_ cluster: FakeStorageCluster) -> [Int] { cluster.names.map { cluster.node($0).chunks.count } }
    func releases(_ cluster: FakeStorageCluster) -> [Int] { cluster.names.map { cluster.node($0).releases.count } }

    @Test("Content that its object no longer has is dropped from all replicas, once, and the releases are forgotten")
    func dropped() async throws {
        let cluster = cluster(of: name("k"))
        let newer = ObjectRecord(version: 1, blobs: [BlobReference(id: BlobID.random().bytes, size: 30, chunkSize: 10)])
        try await write(cluster, name("k"), newer.encoded())
        let collection = collection(cluster)
        await collection.round()
        #expect(chunks(cluster) == [0, 0, 0] && releases(cluster) == [0, 0, 0])
        #expect(cluster.sent(.dropChunks) == 3)
        #expect(collection.status == .init(waiting: 0, chunksDropped: 9, releasesDone: 1))
    }

    @Test("Content of a deleted object, or of one that never came to be, is dropped", arguments: [true, false])
    func deleted(isTombstone: Bool) async throws {
        let cluster = cluster(of: name("k"))
        if isTombstone {
            _ = try await cluster.makeClient().update(name("k"), deleting: true) { _ in .write(.tombstone) }
        }
        await collection(cluster).round()
        #expect(chunks(cluster) == [0, 0, 0] && releases(cluster) == [0, 0, 0])
    }

    @Test("Content that the object still has stays, and the release is forgotten")
    func referred() async throws {
        let cluster = cluster(of: name("k"))
        try await write(cluster, name("k"), ObjectRecord(version: 1, blobs: [reference]).encoded())
        let collection = collection(cluster)
        await collection.round()
        #expect(chunks(cluster) == [3, 3, 3] && releases(cluster) == [0, 0, 0])
        #expect(collection.status.blobsKept == 1)
    }

    @Test("A part's content belongs to the object once the upload is complete")
    func part() async throws {
        let part = name("upload-1", .parts)
        let cluster = cluster(of: part, objectKey: "k")
        try await write(cluster, name("k"), ObjectRecord(version: 1, blobs: [reference]).encoded())
        await collection(cluster).round()
        #expect(chunks(cluster) == [3, 3, 3] && releases(cluster) == [0, 0, 0])
    }

    @Test("A part that was sent again lets go of its former content, unless the object has it")
    func partReplaced() async throws {
        let part = name("upload-1", .parts)
        let cluster = cluster(of: part, objectKey: "k")
        let newer = PartRecord(blob: BlobReference(id: BlobID.random().bytes, size: 30, chunkSize: 10))
        try await write(cluster, part, newer.encoded())
        await collection(cluster).round()
        #expect(chunks(cluster) == [0, 0, 0] && releases(cluster) == [0, 0, 0])
    }

    @Test("A delete that only one replica has accepted is decided before anything is dropped")
    func halfDone() async throws {
        let cluster = cluster(of: name("k"))
        try await write(cluster, name("k"), ObjectRecord(version: 1, blobs: [reference]).encoded())
        let half = RegisterState(
            tag: Ballot(counter: 1000, writer: 9), sequence: 2, recentOperations: [], record: StoredRecord.tombstone)
        cluster.change("storage-1") { $0.registers[name("k")] = half }
        await collection(cluster).round()
        #expect(chunks(cluster) == [0, 0, 0])
        #expect(cluster.names.allSatisfy { cluster.node($0).registers[name("k")]?.isLive == false })
    }

    @Test("A state of one replica that lost to another one lets go of nothing")
    func lost() async throws {
        let cluster = cluster(of: name("k"))
        try await write(cluster, name("k"), ObjectRecord(version: 1, blobs: [reference]).encoded())
        let half = RegisterState(
            tag: .zero, sequence: 2, recentOperations: [], record: StoredRecord.tombstone)
        cluster.change("storage-1") { $0.registers[name("k")] = half }
        await collection(cluster).round()
        #expect(chunks(cluster) == [3, 3, 3])
    }

    @Test("Young releases wait for readers to be over")
    func young() async throws {
        let cluster = cluster(of: name("k"), age: Int64(grace / .milliseconds(1)) - 1)
        let collection = collection(cluster)
        await collection.round()
        #expect(chunks(cluster) == [3, 3, 3] && releases(cluster) == [1, 1, 1])
        #expect(cluster.sent(.dropChunks) == 0 && collection.status.waiting == 3)
    }

    @Test("A replica out of reach: the release stays and is settled when it is back")
    func unreachable() async throws {
        let cluster = cluster(of: name("k"))
        cluster.set("storage-2", .down)
        let collection = collection(cluster)
        await collection.round()
        #expect(releases(cluster) == [1, 1, 1] && collection.status.postponed == 1)
        cluster.set("storage-2", .up)
        await collection.round()
        #expect(chunks(cluster) == [0, 0, 0] && releases(cluster) == [0, 0, 0])
        #expect(collection.status.postponed == 0)
    }

    @Test("A record that is not understood may refer to anything: nothing is dropped")
    func unknownRecord() async throws {
        let cluster = cluster(of: name("k"))
        try await write(cluster, name("k"), [0xff, 0xff, 0xff])
        let collection = collection(cluster)
        await collection.round()
        #expect(chunks(cluster) == [3, 3, 3] && releases(cluster) == [1, 1, 1])
        #expect(collection.status.postponed == 1 && !collection.status.lastError.isEmpty)
    }

    @Test("More releases than a page holds are all settled in one round")
    func pages() async throws {
        let cluster = FakeStorageCluster()
        for node in cluster.names {
            cluster.change(node) { state in
                state.releases = (0..<600).map { index in
                    Release(
                        id: [UInt8(index >> 8), UInt8(index & 255)], name: Wire.RegisterName(name("k\(index)")),
                        blobs: [BlobReference(id: BlobID(high: 9, low: UInt64(index)).bytes, size: 1, chunkSize: 10)],
                        notedMilliseconds: old)
                }
            }
        }
        let collection = collection(cluster)
        await collection.round()
        #expect(releases(cluster) == [0, 0, 0] && collection.status.releasesDone == 600)
    }
}
