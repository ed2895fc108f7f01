import AccessTestKit
import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Register
import Synchronization
import Testing
import Wire

@testable import Repair

/// How removals ended, and what may go wrong on the way.
private final class Endings: RemovalEnding {
    let ended = Mutex<[BucketChange]>([])
    func end(_ change: BucketChange, of bucket: BucketRecord) async throws { ended.withLock { $0.append(change) } }
    var all: [BucketChange] { ended.withLock { $0 } }
}

private struct View: ClusterViewing {
    var view: ClusterView
    func refresh() async throws {}
}

/// One bucket that is to be removed, and one beside it.
private struct RemovedBucket {
    static let now: Int64 = 1_700_000_000_000

    let id = BucketID(high: 4, low: 2)
    let other = BucketID(high: 4, low: 3)
    let storage: ClusterRegisters
    let endings = Endings()
    let gateways = TakenEvents()
    let removal: BucketRemoval

    /// - Parameter events: what a webhook wants to know of.
    init(telling events: String? = nil) {
        let cluster = FakeStorageCluster(buckets: ["box": id, "other": other], owner: "alice", documents: [])
        storage = ClusterRegisters(cluster.makeClient())
        let record = BucketRecord(
            name: "box", id: id.bytes, owner: "alice", state: .bucketRemoving,
            documents: events.map {
                [notification($0), BucketDocument(name: "versioning", content: Array("Enabled".utf8))]
            }
                ?? [])
        removal = BucketRemoval(
            registers: storage,
            cluster: View(
                view: ClusterView(revision: 1, entries: [StateEntry(key: "buckets/box", value: record.encoded())])),
            ending: endings, notices: .make(storage, gateways), concurrency: 4,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            now: { Self.now })
    }

    func put(
        _ key: String, _ mode: VersioningMode, in bucket: BucketID? = nil,
        _ edit: (inout ObjectRecord) -> Void = { _ in }
    ) async throws {
        var object = ObjectRecord(
            version: ObjectRecord.formatVersion, modifiedMilliseconds: Self.now, size: 1, etag: "e", owner: "alice")
        edit(&object)
        let (number, record) = (UInt64.random(in: 1 ... .max), object)
        let name = Model.RegisterName(bucket: bucket ?? id, key: Array(key.utf8))
        while true {
            do {
                _ = try await storage.update(
                    name, deleting: false, staged: nil, operation: .random(), context: .init()
                ) { state in
                    do {
                        var versions = try KeyVersions(state)
                        try versions.put(record, mode, number: number, nowMilliseconds: Self.now)
                        return .write(versions.stored)
                    } catch { return .refuse(error) }
                }
                return
            } catch AccessError.refused(KeyVersions.Obstacle.unsettled) {
                try await ObjectVersions(storage).settle(name, context: .init())
            }
        }
    }

    func write(_ keyspace: Keyspace, _ key: [UInt8]) async throws {
        _ = try await storage.update(
            Model.RegisterName(bucket: id, keyspace: keyspace, key: key), deleting: false, staged: nil,
            operation: .random(), context: .init()
        ) { _ in .write(StoredRecord(bytes: [1], summary: [2])) }
    }

    func count(_ keyspace: Keyspace, in bucket: BucketID? = nil) async throws -> Int {
        let query = ListQuery(bucket: bucket ?? id, keyspace: keyspace, withMarkers: keyspace == .objects)
        return try await storage.list(query, context: .init()).entries.count
    }
}

@Suite struct BucketRemovalTests {
    @Test("everything goes: objects, versions, markers, uploads and parts; other buckets stay")
    func all() async throws {
        let bucket = RemovedBucket()
        for number in 0..<30 { try await bucket.put("plain \(number)", .unversioned) }
        for _ in 0..<12 { try await bucket.put("versions", .enabled) }
        try await bucket.put("marked", .enabled)
        try await bucket.put("marked", .enabled) { $0.kind = .versionDeleteMarker }
        try await bucket.put("plain 1", .unversioned, in: bucket.other)
        try await bucket.write(.uploads, [1] + Array(repeating: 0, count: 17))
        try await bucket.write(.parts, Array(repeating: 3, count: 18))
        let outcome = try await bucket.removal.round()
        #expect(outcome.isProved, "\(outcome.text)")
        #expect(bucket.endings.all == [.bucketRemovalFinish])
        for keyspace in [Keyspace.objects, .versions, .uploads, .parts] {
            #expect(try await bucket.count(keyspace) == 0)
        }
        #expect(try await bucket.count(.objects, in: bucket.other) == 1)
        #expect(bucket.removal.status.removed == 30 + 12 + 2 + 2)
    }

    @Test(
        "what is locked stays, and the bucket is put into service again",
        arguments: ["COMPLIANCE", "GOVERNANCE", "hold"])
    func locked(mode: String) async throws {
        let bucket = RemovedBucket()
        try await bucket.put("kept", .enabled) { object in
            if mode == "hold" {
                object.legalHold = true
            } else {
                (object.lockMode, object.lockUntilMilliseconds) = (mode, RemovedBucket.now + 1)
            }
        }
        try await bucket.put("kept", .enabled)
        try await bucket.put("over", .enabled) { object in
            (object.lockMode, object.lockUntilMilliseconds) = ("COMPLIANCE", RemovedBucket.now)
        }
        for number in 0..<5 { try await bucket.put("free \(number)", .enabled) }
        _ = try await bucket.removal.round()
        #expect(bucket.endings.all == [.bucketRemovalCancel])
        #expect(try await bucket.count(.objects) == 1)
        #expect(bucket.removal.status.kept == ["box"])
        let name = Model.RegisterName(bucket: bucket.id, key: Array("kept".utf8))
        let left = try KeyVersions(await bucket.storage.read(name, withBlob: false, context: .init()).state).current
        #expect(left?.isLocked(nowMilliseconds: RemovedBucket.now) == true)
    }

    @Test("an empty bucket goes at once")
    func empty() async throws {
        let bucket = RemovedBucket()
        _ = try await bucket.removal.round()
        #expect(bucket.endings.all == [.bucketRemovalFinish])
    }

    @Test("every version that goes is told of, as the administrator's doing; what is locked is not")
    func events() async throws {
        let bucket = RemovedBucket(telling: "s3:ObjectRemoved:*")
        for _ in 0..<3 { try await bucket.put("a", .enabled) }
        try await bucket.put("a", .enabled) { $0.kind = .versionDeleteMarker }
        for number in 0..<70 { try await bucket.put("b \(number)", .enabled) }
        try await bucket.put("kept", .enabled) { $0.legalHold = true }
        _ = try await bucket.removal.round()
        let events = bucket.gateways.all
        #expect(bucket.endings.all == [.bucketRemovalCancel])
        #expect(events.count == 4 + 70)
        #expect(events.allSatisfy { $0.name == "ObjectRemoved:Delete" && $0.principal == "admin" })
        #expect(events.count { $0.key == "a" } == 4)
        #expect(Set(events.map(\.version)).count == events.count && !events.contains { $0.key == "kept" })
    }

    @Test("a removal goes on while no gateway takes its events, which wait")
    func eventsWait() async throws {
        let bucket = RemovedBucket(telling: "s3:ObjectRemoved:*")
        try await bucket.put("a", .enabled)
        bucket.gateways.isDown = true
        #expect(try await bucket.removal.round().isProved)
        #expect(bucket.endings.all == [.bucketRemovalFinish])
        #expect(bucket.gateways.all.isEmpty)
    }
}
