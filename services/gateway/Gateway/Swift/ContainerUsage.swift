import MessageBus
import Model
import ObjectAccess
import Synchronization
import Wire

/// How many objects a container has, and how many bytes: counted by listing it, and remembered for a time that grows with the
/// effort. So small containers are exact, and large ones lag behind; Swift's own counts do too.
final class ContainerUsage: Sendable {
    struct Count: Sendable, Equatable {
        var objects: UInt64 = 0
        var bytes: UInt64 = 0
    }

    private struct Known {
        var count: Count
        /// Counted to its end.
        var isComplete: Bool
        var goodUntil: ContinuousClock.Instant
        var running: Task<Count, any Error>?
    }

    private static let knownMax = 10_000
    /// Counting again takes a twentieth of the time at most.
    private static let effort = 20

    private let storage: any ObjectStorage
    private let known = Mutex<[BucketID: Known]>([:])

    init(storage: any ObjectStorage) { self.storage = storage }

    /// - Parameter patience: how long to wait for a count before the last known one is given.
    func count(of bucket: BucketID, patience: Duration, _ context: MessageContext) async -> Count {
        let (present, task) = known.withLock { known -> (Known?, Task<Count, any Error>?) in
            if let present = known[bucket], present.goodUntil > .now { return (present, nil) }
            if let running = known[bucket]?.running { return (known[bucket], running) }
            if known.count >= Self.knownMax { known = known.filter { $0.value.running != nil } }
            let task = Task { try await self.walk(bucket, context) }
            var entry = known[bucket] ?? Known(count: Count(), isComplete: false, goodUntil: .now)
            entry.running = task
            known[bucket] = entry
            return (entry, task)
        }
        guard let task else { return present?.count ?? Count() }
        if let counted = await Self.value(of: task, within: patience) { return counted }
        return known.withLock { $0[bucket]?.count } ?? Count()
    }

    /// What was counted is not true any more: somebody has written here.
    func forget(_ bucket: BucketID) {
        known.withLock { known in
            // One that takes long is worth its time, though it is behind.
            guard let present = known[bucket], present.goodUntil - .now < .seconds(1) || !present.isComplete else {
                return
            }
            known[bucket]?.goodUntil = .now
        }
    }

    private func walk(_ bucket: BucketID, _ context: MessageContext) async throws -> Count {
        let start = ContinuousClock.now
        var count = Count()
        var query = ListQuery(bucket: bucket, limit: ListingQuery.limitMax)
        do {
            while true {
                let page = try await storage.list(query, context: context)
                for case .key(_, let bytes, _) in page.entries {
                    count.objects += 1
                    guard let summary = try? ListingSummary(decoding: bytes), !summary.manifest else { continue }
                    count.bytes &+= summary.size
                }
                guard page.truncated, let next = page.next else { break }
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
        let took = ContinuousClock.now - start
        known.withLock { known in
            // A quick count is made anew for each request.
            let rest = took < .milliseconds(50) ? .zero : took * Self.effort
            known[bucket] = Known(count: count, isComplete: true, goodUntil: .now + rest, running: nil)
        }
        return count
    }

    private static func value(of task: Task<Count, any Error>, within patience: Duration) async -> Count? {
        await withTaskGroup(of: Count?.self) { group in
            group.addTask { try? await task.value }
            group.addTask {
                try? await Task.sleep(for: patience)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
    }
}
