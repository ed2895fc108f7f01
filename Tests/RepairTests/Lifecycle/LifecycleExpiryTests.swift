import AccessTestKit
import Logging
import MessageBus
import Model
import ObjectAccess
import Observability
import Register
import S3Protocol
import Synchronization
import Testing
import Wire

@testable import Repair

/// One bucket with a lifecycle, and a clock that tests move. A day takes 1,000 seconds.
private struct LifecycleBucket {
    static let start: Int64 = 1_700_000_000_000
    static let day: Int64 = 1_000_000

    let id = BucketID(high: 4, low: 2)
    let registers: RegisterClient
    let storage: ClusterRegisters
    let versions: ObjectVersions
    let expiry: LifecycleExpiry
    let mode: VersioningMode
    let gateways = TakenEvents()
    private let clock: Mutexed<Int64>

    final class Mutexed<Value: Sendable>: Sendable {
        private let state: Mutex<Value>
        init(_ value: Value) { state = Mutex(value) }
        var value: Value {
            get { state.withLock { $0 } }
            set { state.withLock { $0 = newValue } }
        }
    }

    /// - Parameter rules: nil: there are none, but objects that expire.
    init(_ rules: String?, _ mode: VersioningMode = .unversioned, telling events: String? = nil) {
        var documents = [BucketDocument(name: BucketRecord.expiringName, content: [1])]
        if let rules {
            let document = "<LifecycleConfiguration>\(rules)</LifecycleConfiguration>"
            documents = [BucketDocument(name: "lifecycle", content: Array(document.utf8))]
        }
        if mode != .unversioned {
            documents.append(BucketDocument(name: "versioning", content: Array(mode.rawValue.utf8)))
        }
        if let events { documents.append(notification(events)) }
        let cluster = FakeStorageCluster(buckets: ["box": id], owner: "alice", documents: documents)
        let clock = Mutexed(Self.start)
        self.clock = clock
        self.mode = mode
        registers = cluster.makeClient()
        storage = ClusterRegisters(registers)
        versions = ObjectVersions(storage, clock: { clock.value })
        expiry = LifecycleExpiry(
            registers: storage, cluster: cluster,
            notices: .make(storage, gateways, now: { clock.value }), time: LifecycleClock(day: .seconds(1000)),
            metrics: MetricsRegistry(), logger: Logger(label: "test"), now: { clock.value })
    }

    func pass(days: Int64) { clock.value += days * Self.day }

    func name(_ key: String) -> Model.RegisterName { .init(bucket: id, key: Array(key.utf8)) }

    /// Puts an object, or a delete marker, as a gateway does. Returns the version's id.
    @discardableResult
    func put(
        _ key: String, size: UInt64 = 1, tags: [String: String] = [:], marker: Bool = false,
        _ adjust: (inout ObjectRecord) -> Void = { _ in }
    ) async throws -> String {
        var record = ObjectRecord(
            version: 1, modifiedMilliseconds: clock.value, size: size, etag: "e",
            tags: tags.map { HeaderField(name: $0.key, value: $0.value) },
            kind: marker ? .versionDeleteMarker : .versionObject)
        adjust(&record)
        let (object, number, now) = (record, UInt64.random(in: 1 ... .max), clock.value)
        let state = try await registers.update(name(key)) { [mode] state in
            do {
                var versions = try KeyVersions(state)
                try versions.put(object, mode, number: number, nowMilliseconds: now)
                return .write(versions.stored)
            } catch {
                return .refuse(error)
            }
        }.state
        try await versions.settle(name(key), context: .init())
        return try KeyVersions(state).current?.versionId ?? ""
    }

    /// `key` for a current object, `-key` for a delete marker, with a dot for noncurrent versions.
    func walk() async throws -> [String] {
        try await expiry.round()
        #expect(expiry.status.failures == 0, "\(expiry.status.lastError)")
        return try await visible()
    }

    func visible() async throws -> [String] {
        var merge = try await VersionMerge(storage, bucket: id, prefix: [], after: nil, limit: 10, .init())
        var found: [String] = []
        while let version = try await merge.next() {
            let marker = version.summary.kind == .versionDeleteMarker ? "-" : ""
            found.append(marker + String(decoding: version.key, as: UTF8.self) + (version.isLatest ? "" : "."))
        }
        return found
    }
}

private func rule(_ content: String, _ filter: String = "<Filter/>") -> String {
    "<Rule><ID>\(abs(content.hashValue ^ filter.hashValue))</ID>\(filter)<Status>Enabled</Status>\(content)</Rule>"
}

private let twoDays = "<Expiration><Days>2</Days></Expiration>"

@Suite struct LifecycleExpiryTests {
    @Test("objects with a time of their own go then, and not before")
    func ownTimes() async throws {
        let bucket = LifecycleBucket(nil)
        let seconds = LifecycleBucket.start / 1000
        try await bucket.put("a") { $0.deleteAtSeconds = seconds + 1000 }
        try await bucket.put("b") { $0.deleteAtSeconds = seconds + 1001 }
        try await bucket.put("c")
        #expect(try await bucket.walk() == ["a", "b", "c"])
        bucket.pass(days: 1)
        #expect(try await bucket.walk() == ["b", "c"])
        // Put anew in between: the time of the old one says nothing about it.
        try await bucket.put("b")
        bucket.pass(days: 1)
        #expect(try await bucket.walk() == ["b", "c"])
        #expect(bucket.expiry.status.expired == 1)
    }

    @Test("where versions are kept, what has expired stays below a marker")
    func ownTimesWithVersions() async throws {
        let bucket = LifecycleBucket(nil, .enabled)
        try await bucket.put("a") { $0.deleteAtSeconds = LifecycleBucket.start / 1000 + 1000 }
        try await bucket.put("locked") {
            $0.deleteAtSeconds = LifecycleBucket.start / 1000 + 1000
            $0.legalHold = true
        }
        bucket.pass(days: 1)
        #expect(try await bucket.walk() == ["-a", "a.", "-locked", "locked."])
        #expect(try await bucket.walk() == ["-a", "a.", "-locked", "locked."])
        #expect(bucket.expiry.status.expired == 2)
    }

    @Test("objects go when their days are over, and not before")
    func days() async throws {
        let bucket = LifecycleBucket(rule(twoDays))
        try await bucket.put("a")
        bucket.pass(days: 1)
        try await bucket.put("b")
        #expect(try await bucket.walk() == ["a", "b"])
        bucket.pass(days: 1)
        #expect(try await bucket.walk() == ["b"])
        bucket.pass(days: 1)
        #expect(try await bucket.walk() == [])
        #expect(bucket.expiry.status.expired == 2)
    }

    @Test("a date removes what is there from then on")
    func date() async throws {
        let date = HTTPDate.iso8601(milliseconds: (LifecycleBucket.start / 86_400_000 + 1) * 86_400_000)
        let bucket = LifecycleBucket(rule("<Expiration><Date>\(date)</Date></Expiration>"))
        try await bucket.put("a")
        #expect(try await bucket.walk() == ["a"])
        bucket.pass(days: 87)
        #expect(try await bucket.walk() == [])
    }

    @Test("prefix, tags and sizes choose")
    func filters() async throws {
        let tag = "<Tag><Key>t</Key><Value>v</Value></Tag>"
        let large = "<ObjectSizeGreaterThan>100</ObjectSizeGreaterThan>"
        let bucket = LifecycleBucket(
            rule(twoDays, "<Filter><And><Prefix>a/</Prefix>\(tag)</And></Filter>")
                + rule(twoDays, "<Filter>\(large)</Filter>"))
        try await bucket.put("a/1", tags: ["t": "v"])
        try await bucket.put("a/2", tags: ["t": "w"])
        try await bucket.put("b/1", tags: ["t": "v"])
        try await bucket.put("large", size: 101)
        try await bucket.put("small", size: 100)
        bucket.pass(days: 3)
        #expect(try await bucket.walk() == ["a/2", "b/1", "small"])
    }

    @Test("with versions a marker comes above what is over; marker and versions go by their own rules")
    func versioned() async throws {
        let noncurrent = "<NoncurrentVersionExpiration><NoncurrentDays>3</NoncurrentDays></NoncurrentVersionExpiration>"
        let markers = "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>"
        let bucket = LifecycleBucket(rule(twoDays) + rule(noncurrent) + rule(markers), .enabled)
        try await bucket.put("a")
        bucket.pass(days: 2)
        #expect(try await bucket.walk() == ["-a", "a."])
        bucket.pass(days: 2)
        #expect(try await bucket.walk() == ["-a", "a."])
        bucket.pass(days: 1)
        _ = try await bucket.walk()
        #expect(try await bucket.walk() == [])
        #expect(bucket.expiry.status.noncurrentRemoved == 1)
        #expect(bucket.expiry.status.markersRemoved == 1)
    }

    @Test("so many of the newest noncurrent versions stay")
    func newerNoncurrent() async throws {
        let bucket = LifecycleBucket(
            rule(
                "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays>"
                    + "<NewerNoncurrentVersions>2</NewerNoncurrentVersions></NoncurrentVersionExpiration>"), .enabled)
        for _ in 0..<6 { try await bucket.put("a") }
        #expect(try await bucket.walk().count == 6)
        bucket.pass(days: 2)
        #expect(try await bucket.walk() == ["a", "a.", "a."])
        bucket.pass(days: 20)
        #expect(try await bucket.walk() == ["a", "a.", "a."])
    }

    @Test("what is locked stays, current or not")
    func locked() async throws {
        let noncurrent = "<NoncurrentVersionExpiration><NoncurrentDays>1</NoncurrentDays></NoncurrentVersionExpiration>"
        let bucket = LifecycleBucket(rule(noncurrent), .enabled)
        try await bucket.put("a") { $0.legalHold = true }
        try await bucket.put("a") { record in
            record.lockMode = "GOVERNANCE"
            record.lockUntilMilliseconds = LifecycleBucket.start + 5 * LifecycleBucket.day
        }
        try await bucket.put("a")
        bucket.pass(days: 3)
        #expect(try await bucket.walk() == ["a", "a.", "a."])
        bucket.pass(days: 3)
        #expect(try await bucket.walk() == ["a", "a."])
        let plain = LifecycleBucket(rule(twoDays))
        try await plain.put("held") { $0.legalHold = true }
        plain.pass(days: 3)
        #expect(try await plain.walk() == ["held"])
    }

    @Test("open uploads are aborted with their parts; others stay")
    func uploads() async throws {
        let abort =
            "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation></AbortIncompleteMultipartUpload>"
        let bucket = LifecycleBucket(rule(abort, "<Filter><Prefix>a</Prefix></Filter>"))
        for (key, state) in [("a1", UploadState.uploadOpen), ("a2", .uploadCompleting), ("b", .uploadOpen)] {
            let upload = OperationID.random()
            let record = UploadRecord(version: 1, initiatedMilliseconds: LifecycleBucket.start, state: state, key: key)
            let name = Model.RegisterName(
                bucket: bucket.id, keyspace: .uploads, key: Array(key.utf8) + [0] + upload.bytes)
            _ = try await bucket.registers.update(name) { _ in .write(record.stored) }
            let part = Model.RegisterName(bucket: bucket.id, keyspace: .parts, key: upload.bytes + [0, 1])
            _ = try await bucket.registers.update(part) { _ in .write(StoredRecord(bytes: [1], summary: [1])) }
        }
        bucket.pass(days: 2)
        _ = try await bucket.walk()
        let uploads = try await bucket.storage.list(.init(bucket: bucket.id, keyspace: .uploads), context: .init())
        #expect(uploads.entries.count == 2)
        let parts = try await bucket.storage.list(.init(bucket: bucket.id, keyspace: .parts), context: .init())
        #expect(parts.entries.count == 2)
        #expect(bucket.expiry.status.uploadsAborted == 1)
    }

    @Test("what goes is told of, by AWS's names", arguments: ["s3:LifecycleExpiration:*", "s3:ObjectRemoved:*"])
    func events(_ wanted: String) async throws {
        let rules = rule(
            "<Expiration><Days>1</Days></Expiration><NoncurrentVersionExpiration><NoncurrentDays>2</NoncurrentDays>"
                + "</NoncurrentVersionExpiration>")
        let bucket = LifecycleBucket(rules, .enabled, telling: wanted)
        let id = try await bucket.put("k")
        bucket.pass(days: 2)
        #expect(try await bucket.walk() == ["-k", "k."])
        let marker = try #require(bucket.gateways.all.first?.version ?? "none")
        bucket.pass(days: 3)
        #expect(try await bucket.walk() == ["-k"])
        bucket.pass(days: 2)
        #expect(try await bucket.walk() == [])
        guard wanted.hasPrefix("s3:Lifecycle") else { return #expect(bucket.gateways.all.isEmpty) }
        #expect(
            bucket.gateways.all == [
                .init(name: "LifecycleExpiration:DeleteMarkerCreated", key: "k", version: marker),
                .init(name: "LifecycleExpiration:Delete", key: "k", version: id),
                .init(name: "LifecycleExpiration:Delete", key: "k", version: marker),
            ])
        #expect(VersionName(id: marker) != nil)
    }

    @Test("without versions there is no version in the event; what stays is not told of")
    func eventsUnversioned() async throws {
        let bucket = LifecycleBucket(rule(twoDays), telling: "s3:LifecycleExpiration:*")
        try await bucket.put("old")
        bucket.pass(days: 2)
        try await bucket.put("new")
        bucket.pass(days: 1)
        #expect(try await bucket.walk() == ["new"])
        #expect(bucket.gateways.all == [.init(name: "LifecycleExpiration:Delete", key: "old", version: nil)])
    }
}
