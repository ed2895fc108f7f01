import AccessTestKit
import Foundation
import MessageBus
import Model
import ObjectAccess
import Register
import S3Protocol
import Synchronization
import Testing
import Wire

@testable import Repair

/// A bucket whose removals are told of, and a process that dies.
private struct ToldBucket {
    static let now: Int64 = 1_700_000_000_000

    let id = BucketID(high: 4, low: 2)
    let storage: ClusterRegisters
    let versions: ObjectVersions
    let gateways = TakenEvents()
    let path = NSTemporaryDirectory() + "events-\(UUID().uuidString).sqlite"
    let record: BucketRecord

    init(_ versioning: VersioningMode = .enabled) {
        var documents = [notification("s3:LifecycleExpiration:*")]
        if versioning != .unversioned {
            documents.append(BucketDocument(name: "versioning", content: Array(versioning.rawValue.utf8)))
        }
        storage = ClusterRegisters(FakeStorageCluster(buckets: ["box": id], owner: "alice").makeClient())
        versions = ObjectVersions(storage, clock: { Self.now })
        record = BucketRecord(name: "box", id: id.bytes, owner: "alice", documents: documents)
    }

    /// The process from now on; the one before is dead.
    func start(later milliseconds: Int64 = 0, waitingMax: Int = 10_000) -> RemovalNotices {
        .make(storage, gateways, path: path, waitingMax: waitingMax, now: { Self.now + milliseconds })
    }

    func end() {
        for suffix in ["", "-wal", "-shm"] { try? FileManager.default.removeItem(atPath: path + suffix) }
    }

    var object: Model.RegisterName { .init(bucket: id, key: [UInt8(ascii: "k")]) }

    /// Returns the name of the new version.
    @discardableResult
    func put(
        _ mode: VersioningMode? = nil, kind: VersionKind = .versionObject, number: UInt64 = .random(in: 1 ... .max)
    ) async throws -> VersionName {
        let new = ObjectRecord(version: 1, modifiedMilliseconds: Self.now, size: 1, etag: "e", kind: kind)
        let mode = mode ?? record.versioning
        let state = try await storage.update(
            object, deleting: false, staged: nil, operation: .random(), context: .init()
        ) { state in
            do {
                var versions = try KeyVersions(state)
                try versions.put(new, mode, number: number, nowMilliseconds: Self.now)
                return .write(versions.stored)
            } catch { return .refuse(error) }
        }
        return try #require(try KeyVersions(state).current).name
    }

    func notice(_ version: VersionName, marker: RemovalNotice.Marker? = nil) throws -> RemovalNotice {
        let audience = try #require(RemovalAudience(record, .lifecycle))
        return try #require(audience.notice(of: object.key, version, marker: marker, now: Self.now))
    }

    func left() async throws -> Int { try await NoticeStore(path: path).load(limit: 0).count }
}

@Suite struct RemovalNoticesTests {
    private typealias Event = TakenEvents.Event

    @Test("only what a rule wants is noted, for whoever removes")
    func audience() throws {
        let name = VersionName(place: 9, number: 3)
        func types(_ events: String, _ cause: RemovalAudience.Cause, _ marker: RemovalNotice.Marker?) -> String? {
            let record = BucketRecord(name: "box", id: Array(0..<16), documents: [notification(events, prefix: "in/")])
            let audience = RemovalAudience(record, cause)
            #expect(audience?.notice(of: Array("out/k".utf8), name, marker: marker, now: 0) == nil)
            return audience?.notice(of: Array("in/k".utf8), name, marker: marker, now: 0)?.type.rawValue
        }
        #expect(types("s3:LifecycleExpiration:*", .lifecycle, nil) == "LifecycleExpiration:Delete")
        #expect(types("s3:LifecycleExpiration:*", .lifecycle, .null) == "LifecycleExpiration:DeleteMarkerCreated")
        #expect(types("s3:LifecycleExpiration:Delete", .lifecycle, .null) == nil)
        #expect(types("s3:ObjectRemoved:*", .lifecycle, nil) == nil)
        #expect(types("s3:ObjectRemoved:*", .administrator, nil) == "ObjectRemoved:Delete")
        #expect(types("s3:LifecycleExpiration:*", .administrator, nil) == nil)
        #expect(RemovalAudience(BucketRecord(name: "box"), .lifecycle) == nil)
    }

    @Test("a removal is told of when it is decided, with the place of the decision, and nothing is left")
    func told() async throws {
        let bucket = ToldBucket()
        defer { bucket.end() }
        let name = try await bucket.put()
        let notices = bucket.start()
        let sequence = Mutex<UInt64>(0)
        let isDone = try await notices.during(try bucket.notice(name)) {
            #expect(try await bucket.left() == 1, "durable before the removal begins")
            #expect(bucket.gateways.all.isEmpty)
            let removed = try #require(try await bucket.versions.remove(name.id, of: bucket.object, context: .init()))
            sequence.withLock { $0 = removed.sequence }
            return .init(sequence: removed.sequence)
        }
        #expect(isDone)
        #expect(bucket.gateways.all == [Event(name: "LifecycleExpiration:Delete", key: "k", version: name.id)])
        let record = try #require(bucket.gateways.records.first)
        let subject = try #require(record["s3"] as? [String: Any])
        let object = try #require(subject["object"] as? [String: Any])
        let sequencer = try #require(object["sequencer"] as? String)
        #expect(UInt64(sequencer, radix: 16) == sequence.withLock { $0 })
        #expect(object["size"] == nil && object["eTag"] == nil)
        #expect(subject["configurationId"] as? String == "rule")
        #expect(record["requestParameters"] as? [String: String] == ["sourceIPAddress": "s3.amazonaws.com"])
        #expect(try await bucket.left() == 0)
        #expect(notices.status.told == 1 && notices.status.waiting == 0)
    }

    @Test("what was not there to be removed is not told of")
    func nothing() async throws {
        let bucket = ToldBucket()
        defer { bucket.end() }
        let notices = bucket.start()
        #expect(try await notices.during(try bucket.notice(VersionName(place: 1, number: 1))) { nil } == false)
        #expect(bucket.gateways.all.isEmpty)
        #expect(try await bucket.left() == 0)
    }

    @Test("without room for the notice nothing is removed")
    func noStore() async throws {
        let bucket = ToldBucket()
        defer { bucket.end() }
        let notices = bucket.start()
        try notices.close()
        await #expect(throws: (any Error).self) {
            try await notices.during(try bucket.notice(VersionName(place: 1, number: 1))) {
                Issue.record("removed without a notice")
                return .init(sequence: 1)
            }
        }
    }

    @Test("who dies after the removal tells of it afterwards; who dies before it does not", arguments: [true, false])
    func died(isRemoved: Bool) async throws {
        let bucket = ToldBucket()
        defer { bucket.end() }
        let name = try await bucket.put()
        try await bucket.start().begin([try bucket.notice(name)])
        if isRemoved { try await bucket.versions.remove(name.id, of: bucket.object, context: .init()) }
        let outcome = try await bucket.start().round()
        let event = Event(name: "LifecycleExpiration:Delete", key: "k", version: name.id)
        #expect(bucket.gateways.all == (isRemoved ? [event] : []))
        // A request of the dead one could still be under way.
        #expect(try await bucket.left() == (isRemoved ? 0 : 1))
        #expect(outcome.isProved == isRemoved)
        _ = try await bucket.start(later: RemovalNotices.settlingMilliseconds).round()
        #expect(bucket.gateways.all == (isRemoved ? [event] : []))
        #expect(try await bucket.left() == 0)
    }

    @Test("a delete marker is recognised though others came above it, and another one is not taken for it")
    func markers() async throws {
        let bucket = ToldBucket()
        defer { bucket.end() }
        let covered = try await bucket.put()
        let notice = try bucket.notice(covered, marker: .numbered(77))
        try await bucket.start().begin([notice])
        let marker = try await bucket.put(kind: .versionDeleteMarker, number: 77)
        try await bucket.put()
        _ = try await bucket.start().round()
        let event = Event(name: "LifecycleExpiration:DeleteMarkerCreated", key: "k", version: marker.id)
        #expect(bucket.gateways.all == [event])

        let newest = try await bucket.put()
        try await bucket.start().begin([try bucket.notice(newest, marker: .numbered(78))])
        try await bucket.put(kind: .versionDeleteMarker)
        _ = try await bucket.start(later: RemovalNotices.settlingMilliseconds).round()
        #expect(bucket.gateways.all == [event])
        #expect(try await bucket.left() == 0)
    }

    @Test("with versioning suspended the marker is the null version")
    func nullMarker() async throws {
        let bucket = ToldBucket(.suspended)
        defer { bucket.end() }
        let covered = try await bucket.put()
        try await bucket.start().begin([try bucket.notice(covered, marker: .null)])
        _ = try await bucket.start().round()
        #expect(bucket.gateways.all.isEmpty)
        try await bucket.put(kind: .versionDeleteMarker)
        _ = try await bucket.start().round()
        #expect(
            bucket.gateways.all == [
                Event(name: "LifecycleExpiration:DeleteMarkerCreated", key: "k", version: "null")
            ])
    }

    @Test("while no gateway takes events they wait, also over a restart")
    func noGateway() async throws {
        let bucket = ToldBucket()
        defer { bucket.end() }
        let name = try await bucket.put()
        bucket.gateways.isDown = true
        let notices = bucket.start()
        _ = try await notices.during(try bucket.notice(name)) {
            try await bucket.versions.remove(name.id, of: bucket.object, context: .init()).map {
                .init(sequence: $0.sequence)
            }
        }
        #expect(notices.status.waiting == 1 && notices.status.lastError.contains("no gateway"))
        #expect(try await notices.round().isProved == false)
        bucket.gateways.isDown = false
        #expect(try await bucket.start().round().isProved)
        #expect(bucket.gateways.all.map(\.version) == [name.id])
        #expect(try await bucket.left() == 0)
    }

    @Test("a second attempt that finds nothing does not silence the first, whose end nobody saw")
    func secondAttempt() async throws {
        let bucket = ToldBucket()
        defer { bucket.end() }
        let name = try await bucket.put()
        let notices = bucket.start()
        await #expect(throws: AccessError.self) {
            try await notices.during(try bucket.notice(name)) {
                try await bucket.versions.remove(name.id, of: bucket.object, context: .init())
                throw AccessError.overloaded
            }
        }
        #expect(try await notices.during(try bucket.notice(name)) { nil } == false)
        #expect(bucket.gateways.all.isEmpty)
        _ = try await notices.round()
        #expect(bucket.gateways.all.map(\.version) == [name.id])
        #expect(try await bucket.left() == 0)
    }

    @Test("what somebody is at is left to him")
    func inFlight() async throws {
        let bucket = ToldBucket()
        defer { bucket.end() }
        let name = try await bucket.put()
        let notices = bucket.start()
        let notice = try bucket.notice(name)
        try await notices.begin([notice])
        try await bucket.versions.remove(name.id, of: bucket.object, context: .init())
        #expect(try await notices.round().isProved)
        #expect(bucket.gateways.all.isEmpty)
        await notices.end([(notice, .removed(.init(sequence: 2)))])
        #expect(bucket.gateways.all.count == 1)
        _ = try await notices.round()
        #expect(bucket.gateways.all.count == 1)
    }

    @Test("too many that wait stop removals that are to be told of")
    func backlog() async throws {
        let bucket = ToldBucket()
        defer { bucket.end() }
        bucket.gateways.isDown = true
        let notices = bucket.start(waitingMax: 250)
        let all = try (1...250).map {
            try bucket.notice(VersionName(place: $0, number: 1))
        }
        try await notices.begin(all)
        await notices.end(all.map { ($0, .removed(.init(sequence: 1))) })
        await #expect(throws: RemovalNotices.Backlog.self) {
            try await notices.begin([try bucket.notice(VersionName(place: 1, number: 2))])
        }
        bucket.gateways.isDown = false
        #expect(try await notices.round().isProved)
        #expect(bucket.gateways.all.count == all.count)
        try await notices.begin([try bucket.notice(VersionName(place: 1, number: 2))])
    }

    @Test("events that a gateway has no room for are counted")
    func dropped() async throws {
        let bucket = ToldBucket()
        defer { bucket.end() }
        bucket.gateways.leaveRoom(for: 1)
        let notices = bucket.start()
        let all = try (1...3).map { try bucket.notice(VersionName(place: $0, number: 1)) }
        try await notices.begin(all)
        await notices.end(all.map { ($0, .removed(.init(sequence: 1))) })
        #expect((notices.status.told, notices.status.dropped, notices.status.waiting) == (1, 2, 0))
    }
}
