import MessageBus
import Model
import ObjectAccess
import Synchronization
import Wire

/// How many objects a container has, and how many bytes.
///
/// One page of a listing counts a small container, exactly and for each request anew. What was found of a larger one is
/// remembered for a time that grows with the effort, a fraction of a second mostly, and ends with the next write by this
/// gateway. One of more than a page is asked of the storage nodes, which count what they hold; that may be behind by what a
/// replica lacks, as Swift's own counts are. Their counts have archived versions too, so a large container with versions is
/// listed to its end.
final class ContainerUsage: Sendable {
    struct Count: Sendable, Equatable {
        var objects: UInt64 = 0
        var bytes: UInt64 = 0

        /// So large that it is not counted anew for each request.
        var isLarge: Bool { objects >= ContainerUsage.largeFrom }
    }

    private struct Walk {
        var task: Task<Count, any Error>
        /// The writes that it has certainly seen.
        var writes: UInt64
    }

    private struct Known {
        var count = Count()
        /// Counted to its end.
        var isComplete = false
        var goodUntil: ContinuousClock.Instant
        /// Writes by this gateway that were told here.
        var writes: UInt64 = 0
        var running: Walk?

        /// Counting takes so long that it is not done again for every write.
        func isCostly(_ now: ContinuousClock.Instant) -> Bool { goodUntil - now > .seconds(1) }
    }

    private enum Present {
        case known(Count)
        case running(Walk, isBehind: Bool)
    }

    static let largeFrom: UInt64 = 1000
    private static let knownMax = 10_000
    /// Counting again takes a twentieth of the time at most.
    private static let effort = 20
    /// How long a request waits for the count of a small container, which is quick unless the cluster is not.
    private static let smallPatience = Duration.seconds(3)

    private let storage: any ObjectStorage
    private let survey: Quotas.Survey
    private let now: @Sendable () -> ContinuousClock.Instant
    private let known = Mutex<[BucketID: Known]>([:])

    init(
        storage: any ObjectStorage, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        survey: @escaping Quotas.Survey
    ) {
        self.storage = storage
        self.now = now
        self.survey = survey
    }

    /// - Parameter patience: how long to wait for the count of a large container before the last known one is given. Zero:
    ///   nothing is counted.
    func count(of container: BucketRecord, patience: Duration, _ context: MessageContext) async -> Count {
        guard let bucket = container.bucketID else { return Count() }
        guard patience > .zero else { return last(bucket) }
        let isSurveyed = container.versioning == .unversioned
        var present = present(bucket, isSurveyed: isSurveyed, context)
        if case .running(let walk, isBehind: true) = present {
            // It began before what this request's client may have written. Who waits here shares the next one.
            _ = await outcome(of: walk.task, within: Self.smallPatience)
            present = self.present(bucket, isSurveyed: isSurveyed, context)
        }
        switch present {
        case .known(let count): return count
        case .running(let walk, _):
            if let counted = await outcome(of: walk.task, within: patience) { return counted }
            if last(bucket).isLarge { return last(bucket) }
            return await outcome(of: walk.task, within: Self.smallPatience) ?? last(bucket)
        }
    }

    private func last(_ bucket: BucketID) -> Count { known.withLock { $0[bucket]?.count } ?? Count() }

    /// What is known, or the count that is under way, begun if there is none.
    private func present(_ bucket: BucketID, isSurveyed: Bool, _ context: MessageContext) -> Present {
        let now = now()
        return known.withLock { known in
            var entry = known[bucket] ?? Known(goodUntil: now)
            if entry.goodUntil > now { return .known(entry.count) }
            if let walk = entry.running {
                return .running(walk, isBehind: walk.writes < entry.writes && !entry.count.isLarge)
            }
            if known.count >= Self.knownMax { known = known.filter { $0.value.running != nil } }
            let writes = entry.writes
            let task = Task { try await self.walk(bucket, isSurveyed: isSurveyed, writes: writes, context) }
            let walk = Walk(task: task, writes: writes)
            entry.running = walk
            known[bucket] = entry
            return .running(walk, isBehind: false)
        }
    }

    /// What was counted is not true any more: somebody has written here.
    func forget(_ bucket: BucketID) {
        let now = now()
        known.withLock { known in
            guard var entry = known[bucket] else { return }
            entry.writes += 1
            // One that takes long is worth its time, though it is behind.
            if !entry.isCostly(now) || !entry.isComplete { entry.goodUntil = now }
            known[bucket] = entry
        }
    }

    private func walk(
        _ bucket: BucketID, isSurveyed: Bool, writes: UInt64, _ context: MessageContext
    ) async throws -> Count {
        let start = now()
        var count = Count()
        var query = ListQuery(bucket: bucket, limit: ListingQuery.limitMax)
        do {
            while true {
                let page = try await storage.list(query, context: context)
                for case .key(_, let bytes, _) in page.entries {
                    count.objects += 1
                    guard let summary = try? ListingSummary(decoding: bytes) else { continue }
                    // Segments of a large object are counted where they lie.
                    count.bytes &+= summary.manifest ? summary.manifestSize : summary.size
                }
                guard page.truncated, let next = page.next else { break }
                if isSurveyed, query.after == nil, let held = try? await survey([bucket])[bucket] {
                    count = Count(objects: held.objects, bytes: held.bytes)
                    break
                }
                query.after = next
                known.withLock { known in
                    // Better than nothing for those who cannot wait.
                    if known[bucket]?.isComplete == false { known[bucket]?.count = count }
                }
            }
        } catch {
            known.withLock { $0[bucket]?.running = nil }
            throw error
        }
        finish(bucket, count, writes: writes, began: start)
        return count
    }

    private func finish(_ bucket: BucketID, _ count: Count, writes: UInt64, began: ContinuousClock.Instant) {
        let now = now()
        known.withLock { known in
            var entry = known[bucket] ?? Known(goodUntil: now)
            (entry.count, entry.isComplete, entry.running) = (count, true, nil)
            entry.goodUntil = count.isLarge ? now + (now - began) * Self.effort : now
            // Somebody has written meanwhile.
            if entry.writes > writes, !entry.isCostly(now) { entry.goodUntil = now }
            known[bucket] = entry
        }
    }
}
