import ClusterState
import Model
import ObjectAccess
import S3Protocol
import Synchronization
import Wire

/// Holds writers to the quotas of their bucket and of its owner: the shell around ``QuotaLedger``.
///
/// Buckets without a quota cost nothing. Others are surveyed at the storage nodes at most once a second.
final class Quotas: Sendable {
    typealias Survey = @Sendable ([BucketID]) async throws -> [BucketID: StoredUsage]

    static let surveyInterval = Duration.seconds(1)

    private let cluster: any ClusterViewing
    let survey: Survey
    private let now: @Sendable () -> ContinuousClock.Instant
    private let ledger = Mutex(QuotaLedger())
    private let requests = Atomic<UInt64>(0)

    init(
        cluster: any ClusterViewing, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        survey: @escaping Survey
    ) {
        self.cluster = cluster
        self.survey = survey
        self.now = now
    }

    /// Prepares a write to the bucket; nil: neither the bucket nor its owner has a quota.
    func hold(on bucket: BucketRecord) async throws -> QuotaHold? {
        guard let id = bucket.bucketID else { return nil }
        let limits = limits(of: bucket, id)
        guard !limits.isEmpty else { return nil }
        try await refresh(Set(limits.flatMap(\.buckets) + [id]))
        return QuotaHold(self, id, limits, requests.add(1, ordering: .relaxed).newValue)
    }

    private func limits(of bucket: BucketRecord, _ id: BucketID) -> [QuotaLimit] {
        var limits: [QuotaLimit] = []
        if bucket.quotaBytes > 0 || bucket.quotaObjects > 0 {
            limits.append(
                QuotaLimit(subject: "bucket", buckets: [id], objects: bucket.quotaObjects, bytes: bucket.quotaBytes))
        }
        let view = cluster.view
        if let owner = view.user(id: bucket.owner), owner.quotaBytes > 0 || owner.quotaObjects > 0 {
            let owned = view.buckets(owner: owner.id).compactMap(\.bucketID)
            limits.append(
                QuotaLimit(subject: "owner", buckets: owned, objects: owner.quotaObjects, bytes: owner.quotaBytes))
        }
        return limits
    }

    private func refresh(_ buckets: Set<BucketID>) async throws {
        let asked = now()
        let stale = ledger.withLock { ledger in
            ledger.trim(now: asked)
            return ledger.due(buckets, after: Self.surveyInterval, now: asked)
        }
        guard !stale.isEmpty else { return }
        let usage: [BucketID: StoredUsage]
        do {
            usage = try await survey(stale)
        } catch {
            // What is known goes on for a while; of what is not known nothing can be said.
            guard ledger.withLock({ ledger in stale.allSatisfy(ledger.knows) }) else { throw error }
            return
        }
        ledger.withLock { ledger in
            for bucket in stale { ledger.surveyed(bucket, usage[bucket] ?? StoredUsage(), askedAt: asked) }
        }
    }

    /// Something was removed from the bucket: there is room at once.
    func note(_ bucket: BucketID, _ change: UsageChange) {
        let now = now()
        ledger.withLock { $0.note(change, bucket, at: now) }
    }

    fileprivate func reserve(_ change: UsageChange, _ hold: QuotaHold) throws(S3Error) {
        let refusal = ledger.withLock { $0.reserve(change, hold.bucket, for: hold.request, hold.limits) }
        guard let refusal else { return }
        throw S3Error(
            .quotaExceeded,
            "The quota of the \(refusal.limit.subject), \(refusal.most) \(refusal.unit), would be exceeded.",
            fields: [.init("Quota", String(refusal.most))])
    }

    fileprivate func ended(_ hold: QuotaHold, tookEffect: Bool) {
        let now = now()
        ledger.withLock { $0.ended(hold.request, hold.bucket, tookEffect: tookEffect, at: now) }
    }
}

/// One request's part of a quota.
final class QuotaHold: Sendable {
    fileprivate let bucket: BucketID
    fileprivate let limits: [QuotaLimit]
    fileprivate let request: UInt64
    private let quotas: Quotas

    fileprivate init(_ quotas: Quotas, _ bucket: BucketID, _ limits: [QuotaLimit], _ request: UInt64) {
        self.quotas = quotas
        self.bucket = bucket
        self.limits = limits
        self.request = request
    }

    /// Reserves room for a change, in place of what was reserved before: a change of a register is asked for once for each
    /// attempt. Quick, so that it may be called while a register is changed. Throws `QuotaExceeded`.
    func reserve(_ change: UsageChange) throws(S3Error) { try quotas.reserve(change, self) }

    /// Runs the write. What it has reserved counts from then on, unless it failed for sure.
    func during<Value>(_ body: () async throws -> Value) async throws -> Value {
        do {
            let value = try await body()
            quotas.ended(self, tookEffect: true)
            return value
        } catch {
            quotas.ended(self, tookEffect: !S3Operations.meansNoEffect(error))
            throw error
        }
    }
}

extension S3Operations {
    /// Runs a write within the quotas of the bucket and of its owner.
    func withinQuota<Value>(
        of bucket: BucketRecord, _ write: (_ hold: QuotaHold?) async throws -> Value
    ) async throws -> Value {
        guard let hold = try await quotas.hold(on: bucket) else { return try await write(nil) }
        return try await hold.during { try await write(hold) }
    }

    /// Refuses what is certain to be refused in the end, before its content is sent. What the request overwrites is only
    /// looked at when it matters.
    func checkQuota(_ call: S3Call) async throws {
        guard let more = call.addition, let hold = try await quotas.hold(on: call.bucket) else { return }
        try await hold.during {
            do {
                try hold.reserve(more)
            } catch {
                var rest = more
                for record in try await replaced(call) {
                    rest = rest + UsageChange(objects: -record.objects, bytes: -record.bytes)
                }
                try hold.reserve(rest)
            }
            // The content is not here yet: it counts when it is.
            try hold.reserve(UsageChange())
        }
    }

    /// What a request may free by what it writes.
    private func replaced(_ call: S3Call) async throws -> [UsageChange] {
        if call.request.operation == .uploadPart {
            let name = try call.upload().part(call.partNumber())
            let part = try await storage.read(name, withBlob: false, context: call.context).liveRecord
            return try part.map { [UsageChange(bytes: Int64(clamping: try PartRecord(stored: $0).size))] } ?? []
        }
        guard call.bucket.versioning != .enabled else { return [] }
        let state = try await storage.read(call.object, withBlob: false, context: call.context).state
        let current = try KeyVersions(state).current.flatMap { $0.isDeleteMarker ? nil : $0 }
        return current.map { [UsageChange(objects: 1, bytes: Int64(clamping: $0.storedSize))] } ?? []
    }
}

extension S3Call {
    /// What the request would add at most, as far as its head tells; nil: it stores no content, or says nothing of it.
    fileprivate var addition: UsageChange? {
        let length = Int64(clamping: request.body.declaredLength ?? 0)
        switch request.operation {
        case .putObject: return UsageChange(objects: 1, bytes: length)
        case .uploadPart: return UsageChange(bytes: length)
        default: return nil
        }
    }
}
