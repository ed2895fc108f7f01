import Model
import ObjectAccess

/// A change of what a bucket holds.
struct UsageChange: Sendable, Equatable {
    var objects: Int64 = 0
    var bytes: Int64 = 0

    static func + (a: Self, b: Self) -> Self {
        Self(objects: a.objects.addingClamped(b.objects), bytes: a.bytes.addingClamped(b.bytes))
    }

    fileprivate var negated: Self { Self(objects: -objects, bytes: -bytes) }
    /// Only what adds to the bucket.
    fileprivate var growth: Self { Self(objects: max(0, objects), bytes: max(0, bytes)) }
    /// Only what takes from it.
    fileprivate var shrinkage: Self { Self(objects: min(0, objects), bytes: min(0, bytes)) }
}

extension UsageChange {
    init(_ usage: StoredUsage) {
        self.init(objects: Int64(clamping: usage.objects), bytes: Int64(clamping: usage.bytes))
    }
}

/// What some buckets may hold together; 0: no limit.
struct QuotaLimit: Sendable, Equatable {
    /// Whose quota it is: for the message.
    var subject: String
    var buckets: [BucketID]
    var objects: UInt64
    var bytes: UInt64

    /// Which limit a change would pass; nil: none. What does not grow is never refused.
    func passed(by change: UsageChange, beside held: UsageChange) -> (unit: String, limit: UInt64)? {
        func isOver(_ limit: UInt64, _ held: Int64, _ more: Int64) -> Bool {
            limit > 0 && more > 0 && held.addingClamped(more) > Int64(clamping: limit)
        }
        if isOver(bytes, held.bytes, change.bytes) { return ("bytes", bytes) }
        return isOver(objects, held.objects, change.objects) ? ("objects", objects) : nil
    }
}

/// What one gateway knows about what buckets with a quota hold: a survey of the storage nodes from time to time, and every
/// change that this gateway decides, to the byte. A pure value. See docs/internals/quotas.md.
struct QuotaLedger: Sendable {
    /// How long after its end a change may be missing from a survey: a replica that was not part of the quorum gets it up to
    /// a second and a half later, and its index a moment after that.
    static let settling = Duration.seconds(3)

    private struct Account {
        var held: UsageChange
        /// When the last survey was asked for.
        var surveyed: ContinuousClock.Instant
        /// Changes that a survey may or may not have counted.
        var recent: [(time: ContinuousClock.Instant, change: UsageChange)] = []
        /// Changes that are under way, by the number of their request.
        var reserved: [UInt64: UsageChange] = [:]

        var heldAndReserved: UsageChange { reserved.values.reduce(held, +) }
    }

    private var accounts: [BucketID: Account] = [:]

    func knows(_ bucket: BucketID) -> Bool { accounts[bucket] != nil }

    /// Those that whoever asks is to survey now: they are unknown, or were not surveyed for so long. Of those that are known
    /// the next ones that ask are told nothing.
    mutating func due(
        _ buckets: Set<BucketID>, after interval: Duration, now: ContinuousClock.Instant
    ) -> [BucketID] {
        buckets.filter { bucket in
            guard let account = accounts[bucket] else { return true }
            guard account.surveyed + interval <= now else { return false }
            accounts[bucket]?.surveyed = now
            return true
        }
    }

    // MARK: - Events

    /// A survey has ended. What it says counts, but for what this gateway changed a moment ago: that may be missing from it,
    /// so what was known stays as long as the survey does not contradict it.
    mutating func surveyed(_ bucket: BucketID, _ usage: StoredUsage, askedAt time: ContinuousClock.Instant) {
        let found = UsageChange(usage)
        guard var account = accounts[bucket] else {
            accounts[bucket] = Account(held: found, surveyed: time)
            return
        }
        account.recent.removeAll { $0.time + Self.settling < time }
        // What is under way comes later, but it may be decided already, and counted.
        let underWay = account.reserved.values.map(\.negated)
        let least = (account.recent.map(\.change) + underWay).reduce(found) { $0 + $1.shrinkage }
        let most = (account.recent.map(\.change) + underWay).reduce(found) { $0 + $1.growth }
        account.held.objects = min(max(account.held.objects, least.objects), most.objects)
        account.held.bytes = min(max(account.held.bytes, least.bytes), most.bytes)
        account.surveyed = time
        accounts[bucket] = account
    }

    /// A request wants to change the bucket by so much; what it wanted before is forgotten. Returns the limit that this would
    /// pass; nothing is reserved then.
    mutating func reserve(
        _ change: UsageChange, _ bucket: BucketID, for request: UInt64, _ limits: [QuotaLimit]
    ) -> (limit: QuotaLimit, unit: String, most: UInt64)? {
        accounts[bucket]?.reserved[request] = nil
        for limit in limits {
            if let passed = limit.passed(by: change, beside: held(by: limit.buckets)) {
                return (limit, passed.unit, passed.limit)
            }
        }
        accounts[bucket]?.reserved[request] = change
        return nil
    }

    /// The request has ended. `tookEffect`: or may have.
    mutating func ended(
        _ request: UInt64, _ bucket: BucketID, tookEffect: Bool, at time: ContinuousClock.Instant
    ) {
        guard let change = accounts[bucket]?.reserved.removeValue(forKey: request), tookEffect else { return }
        note(change, bucket, at: time)
    }

    /// Something was removed, or added without asking.
    mutating func note(_ change: UsageChange, _ bucket: BucketID, at time: ContinuousClock.Instant) {
        guard var account = accounts[bucket], change != UsageChange() else { return }
        account.held = account.held + change
        account.recent.append((time, change))
        accounts[bucket] = account
        if account.recent.count > Self.recentMax { compact(bucket) }
    }

    /// With what is under way.
    func held(by buckets: [BucketID]) -> UsageChange {
        buckets.reduce(UsageChange()) { $0 + (accounts[$1]?.heldAndReserved ?? UsageChange()) }
    }

    // MARK: - Bounds

    private static let recentMax = 4096
    private static let accountsMax = 4096
    private static let idleMax = Duration.seconds(60)

    /// Two changes become one of the later time, growth and shrinkage apart: a survey is believed a little later.
    private mutating func compact(_ bucket: BucketID) {
        guard var account = accounts[bucket], let last = account.recent.last?.time else { return }
        let changes = account.recent.map(\.change)
        account.recent = [
            (last, changes.reduce(UsageChange()) { $0 + $1.growth }),
            (last, changes.reduce(UsageChange()) { $0 + $1.shrinkage }),
        ]
        accounts[bucket] = account
    }

    /// Forgets buckets that nobody writes to, when there are many. They are surveyed again when somebody does.
    mutating func trim(now: ContinuousClock.Instant) {
        guard accounts.count > Self.accountsMax else { return }
        accounts = accounts.filter { !$0.value.reserved.isEmpty || $0.value.surveyed + Self.idleMax > now }
    }
}

extension Int64 {
    fileprivate func addingClamped(_ other: Int64) -> Int64 {
        let (sum, overflow) = addingReportingOverflow(other)
        return overflow ? (other > 0 ? .max : .min) : sum
    }
}
