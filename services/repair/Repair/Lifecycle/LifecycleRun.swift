import ClusterState
import Model
import ObjectAccess
import S3Protocol
import Wire

/// The rules of one bucket, and what they say of its versions. Pure.
struct LifecycleRun: Sendable {
    var bucket: BucketRecord
    var id: BucketID
    /// Those that are enabled.
    var rules: [LifecycleRule]
    /// Who is told of what goes; nil: nobody.
    var audience: RemovalAudience?

    /// nil: nothing of the bucket is ever over.
    /// - Throws: when its rules cannot be read.
    init?(_ bucket: BucketRecord) throws {
        guard let id = bucket.bucketID else { return nil }
        let document = bucket.document("lifecycle")
        guard document != nil || bucket.document(BucketRecord.expiringName) != nil else { return nil }
        self.bucket = bucket
        self.id = id
        audience = RemovalAudience(bucket, .lifecycle)
        rules = try document.map { try LifecycleConfiguration(parsing: $0).rules.filter(\.isEnabled) } ?? []
    }

    /// Some objects may have a time of their own (Swift's X-Delete-At).
    private var hasOwnTimes: Bool { bucket.document(BucketRecord.expiringName) != nil }

    var versioning: VersioningMode { bucket.versioning }

    var concernsVersions: Bool {
        hasOwnTimes
            || rules.contains {
                $0.expirationDays != nil || $0.expirationDate != nil || $0.expiresMarkers || $0.noncurrentDays != nil
            }
    }

    /// What all keys begin with that any rule is about.
    var commonPrefix: [UInt8] {
        guard !hasOwnTimes else { return [] }
        let prefixes = rules.map { Array($0.filter.prefix.utf8) }
        guard var common = prefixes.first else { return [] }
        for prefix in prefixes { common = Array(zip(common, prefix).prefix { $0 == $1 }.map(\.0)) }
        return common
    }

    // MARK: - From a listing: all that can be said without tags

    func mayExpire(_ version: ListedVersion, _ time: LifecycleClock, now: Int64) -> Bool {
        guard version.summary.kind == .versionObject else { return false }
        let ownTime = version.summary.deleteAtSeconds
        if ownTime > 0, ownTime <= now / 1000 { return true }
        return rules.contains { rule in
            rule.expiration(modifiedMilliseconds: version.summary.modifiedMilliseconds, time) ?? .max <= now
                && concerns(rule, version)
        }
    }

    func mayRemove(
        _ version: ListedVersion, since: Int64, newer: Int, _ time: LifecycleClock, now: Int64
    ) -> Bool {
        rules.contains { $0.removes(since: since, newer: newer, time, now: now) && concerns($0, version) }
    }

    func removesMarker(_ version: ListedVersion, _ time: LifecycleClock, now: Int64) -> Bool {
        rules.contains { rule in
            guard rule.filter.matches(key: version.key), rule.filter.tags.isEmpty else { return false }
            if rule.expiresMarkers { return true }
            return rule.expirationDays != nil
                && rule.expiration(modifiedMilliseconds: version.summary.modifiedMilliseconds, time) ?? .max <= now
        }
    }

    func aborts(key: [UInt8], _ initiated: Int64, _ time: LifecycleClock, now: Int64) -> Bool {
        rules.contains { rule in
            guard let days = rule.abortDays, rule.filter.matches(key: key) else { return false }
            return time.end(of: days, after: initiated) <= now
        }
    }

    private func concerns(_ rule: LifecycleRule, _ version: ListedVersion) -> Bool {
        rule.filter.matches(key: version.key) && rule.filter.matches(size: version.summary.size)
    }

    // MARK: - From the record, for certain

    func expires(_ object: ObjectRecord, _ key: [UInt8], _ time: LifecycleClock, now: Int64) -> Bool {
        guard object.kind == .versionObject else { return false }
        if object.isExpired(now: now / 1000) { return true }
        return rules.contains { rule in
            rule.expiration(modifiedMilliseconds: object.modifiedMilliseconds, time) ?? .max <= now
                && concerns(rule, object, key)
        }
    }

    func removes(
        _ version: ObjectRecord, _ key: [UInt8], since: Int64, newer: Int, _ time: LifecycleClock, now: Int64
    ) -> Bool {
        rules.contains { $0.removes(since: since, newer: newer, time, now: now) && concerns($0, version, key) }
    }

    private func concerns(_ rule: LifecycleRule, _ object: ObjectRecord, _ key: [UInt8]) -> Bool {
        rule.filter.matches(key: key) && rule.filter.matches(size: object.size)
            && rule.filter.matches(tags: object.tagValues)
    }
}

extension LifecycleRule {
    fileprivate func removes(since: Int64, newer: Int, _ time: LifecycleClock, now: Int64) -> Bool {
        guard let noncurrentDays, newer >= newerNoncurrent else { return false }
        return time.end(of: noncurrentDays, after: since) <= now
    }
}

/// The versions of one key as a walk meets them, the newest first.
struct KeyWalk: Sendable {
    struct Finished: Sendable {
        var latest: ListedVersion
        var isLoneMarker: Bool
    }

    private var latest: ListedVersion?
    private var present: ListedVersion?
    private var count = 0
    /// When the version met last became noncurrent: when the next newer one was made. nil: it is the first of its key.
    private(set) var becameNoncurrent: Int64?
    /// Noncurrent versions of the key that were met so far.
    private(set) var noncurrent = 0

    /// Returns the key before, when this is the first version of another one.
    mutating func add(_ version: ListedVersion) -> Finished? {
        var finished: Finished?
        if present?.key != version.key {
            finished = finish()
            self = KeyWalk()
            latest = version
        } else {
            becameNoncurrent = present?.summary.modifiedMilliseconds
        }
        present = version
        count += 1
        if !version.isLatest { noncurrent += 1 }
        return finished
    }

    func finish() -> Finished? {
        latest.map {
            Finished(latest: $0, isLoneMarker: count == 1 && $0.isLatest && $0.summary.kind == .versionDeleteMarker)
        }
    }
}
