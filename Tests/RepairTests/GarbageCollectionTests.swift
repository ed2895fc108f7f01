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

@Suite struct GarbageWatchTests {
    private let blob = BlobID(high: 1, low: 1)

    @Test("Content is old by the clocks of those who wrote it; times that make no sense are never old")
    func age() {
        let watch = GarbageWatch(age: .seconds(48 * 3600), grace: .seconds(900))
        let now: Int64 = 1_800_000_000_000
        let hour: Int64 = 3_600_000
        #expect(watch.isOld(writtenMilliseconds: now - 48 * hour, nowMilliseconds: now))
        #expect(!watch.isOld(writtenMilliseconds: now - 48 * hour + 1, nowMilliseconds: now))
        // The longest upload, begun by a node whose clock is two hours behind.
        #expect(!watch.isOld(writtenMilliseconds: now - 26 * hour, nowMilliseconds: now))
        for time in [0, -5, now + hour, .max] { #expect(!watch.isOld(writtenMilliseconds: time, nowMilliseconds: now)) }
    }

    @Test("Two walks must find it without a reference, and readers must be done in between")
    func twice() {
        var watch = GarbageWatch(age: .seconds(1), grace: .seconds(900))
        watch.begin()
        #expect(watch.isUnreferenced(blob, now: .seconds(10)) == false)
        #expect(watch.isUnreferenced(blob, now: .seconds(2000)) == false, "another node in the same walk")
        watch.begin()
        #expect(watch.isUnreferenced(blob, now: .seconds(909)) == false)
        #expect(watch.isUnreferenced(blob, now: .seconds(910)) == true)
        watch.isReferenced(blob)
        #expect(watch.isUnreferenced(blob, now: .seconds(3000)) == false)
    }

    @Test("Suspects that a walk has not met again are forgotten, and there is a limit")
    func bounds() {
        var watch = GarbageWatch(age: .seconds(1), grace: .seconds(900))
        for number in 0..<GarbageWatch.suspectsMax + 10 {
            _ = watch.isUnreferenced(BlobID(high: 5, low: UInt64(number)), now: .zero)
        }
        #expect(watch.suspectCount == GarbageWatch.suspectsMax)
        watch.begin()
        _ = watch.isUnreferenced(BlobID(high: 5, low: 3), now: .seconds(1))
        watch.end()
        #expect(watch.suspectCount == 1)
    }
}

@Suite struct GarbageCollectionTests {
    private let bucket = BucketID(high: 1, low: 1)
    private let blob = BlobID(high: 8, low: 8)
    private let long: Int64 = 1_000_000

    private func object(_ key: String) -> Model.RegisterName { .init(bucket: bucket, key: Array(key.utf8)) }

    private func upload(of key: String) -> Model.RegisterName {
        .init(bucket: bucket, keyspace: .uploads, key: Array(key.utf8) + [0] + [UInt8](repeating: 7, count: 16))
    }

    private func collection(_ cluster: FakeStorageCluster, grace: Duration = .zero) -> GarbageCollection {
        GarbageCollection(
            registers: cluster.makeClient(writer: 70), bus: cluster, cluster: cluster,
            settings: .init(age: .seconds(48 * 3600), grace: grace, concurrency: 3), metrics: MetricsRegistry(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    /// Every node has five chunks of the blob.
    private func cluster(ownedBy owner: Model.RegisterName?, written: Int64? = nil) -> FakeStorageCluster {
        let cluster = FakeStorageCluster()
        for node in cluster.names {
            cluster.change(node) { state in
                for index in 0..<5 as Range<UInt32> {
                    let name = ChunkName(blob: blob, index: index)
                    state.chunks[name] = ByteBuffer(string: "c")
                    state.chunkOwners[name] = .init(register: owner, writtenMilliseconds: written ?? long)
                }
            }
        }
        return cluster
    }

    private func refer(_ cluster: FakeStorageCluster, _ name: Model.RegisterName) async throws {
        let record = ObjectRecord(version: 1, blobs: [BlobReference(id: blob.bytes, size: 50, chunkSize: 10)])
        _ = try await cluster.makeClient().update(name) { _ in .write(StoredRecord(bytes: record.encoded())) }
    }

    private func chunks(_ cluster: FakeStorageCluster) -> [Int] { cluster.names.map { cluster.node($0).chunks.count } }

    @Test("Content of an object that never came to be is dropped everywhere, in the second walk")
    func abandoned() async throws {
        let cluster = cluster(ownedBy: object("k"))
        let collection = collection(cluster)
        #expect(try await collection.round() != nil)
        #expect(collection.status.outcome.isProved == false && collection.status.blobsDropped == 0)
        _ = try await collection.round()
        #expect(chunks(cluster) == [0, 0, 0] && collection.status.chunksDropped == 15)
        #expect(try await collection.round() == nil)
        #expect(collection.status.outcome.isProved)
    }

    @Test("Content that its object has stays, and so does content that is young, or of unknown age or owner")
    func kept() async throws {
        let referred = cluster(ownedBy: object("k"))
        try await refer(referred, object("k"))
        let young = cluster(ownedBy: object("k"), written: WallClock.milliseconds - 24 * 3_600_000)
        for cluster in [referred, young, cluster(ownedBy: object("k"), written: 0), cluster(ownedBy: nil)] {
            let collection = collection(cluster)
            for _ in 0..<3 { #expect(try await collection.round() == nil) }
            #expect(chunks(cluster) == [5, 5, 5] && collection.status.outcome.isProved)
        }
    }

    @Test("A walk that has seen it without a reference is not enough while readers may be at it")
    func grace() async throws {
        let cluster = cluster(ownedBy: object("k"))
        let collection = collection(cluster, grace: .seconds(900))
        for _ in 0..<3 { #expect(try await collection.round() == .seconds(900)) }
        #expect(chunks(cluster) == [5, 5, 5])
    }

    @Test("Parts stay while their upload is there, and in the object that it became; else they are dropped")
    func uploads() async throws {
        let open = cluster(ownedBy: upload(of: "k"))
        _ = try await open.makeClient().update(upload(of: "k")) { _ in
            .write(StoredRecord(bytes: UploadRecord(version: 1).encoded()))
        }
        let completed = cluster(ownedBy: upload(of: "k"))
        try await refer(completed, object("k"))
        _ = try await completed.makeClient().update(upload(of: "k"), deleting: true) { _ in .write(.tombstone) }
        let aborted = cluster(ownedBy: upload(of: "k"))
        _ = try await aborted.makeClient().update(upload(of: "k"), deleting: true) { _ in .write(.tombstone) }
        for (cluster, left) in [(open, 5), (completed, 5), (aborted, 0)] {
            let collection = collection(cluster)
            for _ in 0..<2 { _ = try await collection.round() }
            #expect(chunks(cluster) == [left, left, left])
        }
    }

    @Test("A commit that was under way when the content was found without a reference cannot succeed any more")
    func lateCommit() async throws {
        let cluster = cluster(ownedBy: object("k"))
        let collection = collection(cluster)
        // Its writer was let pass once, and then stood still: the walks come before its commit leaves.
        let ballot = BallotNumber(counter: 1_000, writer: 5)
        let name = Wire.RegisterName(object("k"))
        for node in cluster.names {
            let stage = StageRequest(name: name, ballot: ballot)
            let reply = try await cluster.request(
                .stage, stage, to: node, timeout: .seconds(1), answer: StageReply.self)
            #expect(reply.message.promised)
        }
        for _ in 0..<2 { _ = try await collection.round() }
        #expect(chunks(cluster) == [0, 0, 0])
        let record = ObjectRecord(version: 1, blobs: [BlobReference(id: blob.bytes, size: 50, chunkSize: 10)])
        let state = StoredState(
            tag: ballot, sequence: 1, recentOperations: [OperationID.random().bytes], record: record.encoded())
        for node in cluster.names {
            let commit = CommitRequest(name: name, state: state)
            let reply = try await cluster.request(
                .commit, commit, to: node, timeout: .seconds(1), answer: CommitReply.self)
            #expect(reply.message.outcome == .refused)
        }
    }

    @Test("A replica out of reach: nothing that it may still have a say in is dropped")
    func unreachable() async throws {
        let cluster = cluster(ownedBy: object("k"))
        let collection = collection(cluster)
        _ = try await collection.round()
        cluster.set("storage-3", .down)
        _ = try await collection.round()
        #expect(chunks(cluster) == [5, 5, 5] && !collection.status.outcome.isProved)
        cluster.set("storage-3", .up)
        _ = try await collection.round()
        #expect(chunks(cluster) == [0, 0, 0])
    }
}
