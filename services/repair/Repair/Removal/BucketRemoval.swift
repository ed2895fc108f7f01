import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Synchronization
import Wire

/// Tells a manager how the removal of a bucket has ended.
protocol RemovalEnding: Sendable {
    func end(_ change: BucketChange, of bucket: BucketRecord) async throws
}

/// Removes buckets with all that is in them (`delete-bucket --force`).
///
/// What is to be done stands in the cluster's state, what is done follows from what is left: so any repair process goes on
/// where another one died, and two at the same time do no harm. The bucket goes when a look at all its keyspaces finds
/// nothing. Everything is found by the bucket's id, which a later bucket of the name does not have.
final class BucketRemoval: Sendable {
    /// Encoded as JSON for the administrator.
    struct Status: Codable, Sendable, Equatable {
        /// Buckets that are being removed.
        var buckets: [String] = []
        /// Versions, uploads and parts, since the start.
        var removed = 0
        /// Buckets that are gone, since the start.
        var finished = 0
        /// Buckets that are in service again, because object lock protects something in them.
        var kept: [String] = []
        var lastError = ""
    }

    /// What one walk over a bucket has found.
    private struct Walk {
        var removed = 0
        var locked = 0
        var failures = 0
    }

    private static let keptMax = 100
    /// Versions of one key that are removed in one go, the oldest first.
    private static let versionsAtOnce = 256

    private let registers: any RegisterStoring
    private let versions: ObjectVersions
    private let cluster: any ClusterViewing
    private let ending: any RemovalEnding
    private let notices: RemovalNotices
    private let concurrency: Int
    private let logger: Logger
    /// Wall clock, in milliseconds since 1970.
    private let now: @Sendable () -> Int64
    private let state = Mutex(Status())

    init(
        registers: any RegisterStoring, cluster: any ClusterViewing, ending: any RemovalEnding,
        notices: RemovalNotices, concurrency: Int, logger: Logger,
        now: @escaping @Sendable () -> Int64 = { WallClock.milliseconds }
    ) {
        self.registers = registers
        self.cluster = cluster
        self.ending = ending
        self.notices = notices
        self.concurrency = concurrency
        self.logger = logger
        self.now = now
        versions = ObjectVersions(registers, clock: now)
    }

    var status: Status { state.withLock { $0 } }

    /// Goes on with every bucket that is being removed. One at a time: the caller sees to that.
    func round(_ handle: TaskHandle = TaskHandle()) async throws -> TaskOutcome {
        let buckets = cluster.view.buckets.values.filter { $0.state == .bucketRemoving }.sorted { $0.name < $1.name }
        state.withLock { $0.buckets = buckets.map(\.name) }
        var left = 0
        for bucket in buckets {
            handle.update { $0.note = "bucket \(bucket.name)" }
            do {
                try await remove(bucket, handle)
            } catch let error as CancellationError {
                throw error
            } catch {
                left += 1
                fail(error, bucket, handle)
            }
        }
        guard left == 0 else {
            var outcome = TaskOutcome.unproved("\(left) buckets are not empty yet; \(status.lastError)")
            outcome.again = .seconds(5)
            return outcome
        }
        state.withLock { $0.buckets = [] }
        let kept = status.kept
        return .proved(
            "no bucket is being removed"
                + (kept.isEmpty ? "" : "; locked versions have kept \(kept.joined(separator: ", "))"))
    }

    private struct NotEmpty: Error, CustomStringConvertible {
        var description: String
    }

    private func remove(_ bucket: BucketRecord, _ handle: TaskHandle) async throws {
        guard let id = bucket.bucketID else { throw NotEmpty(description: "the record of \(bucket.name) is damaged") }
        // What a gateway still let in, or an upload that was being completed, is found by the next walk.
        for _ in 0..<8 {
            let walk = try await walk(bucket, id, handle)
            if walk.failures > 0 { throw NotEmpty(description: "\(walk.failures) removals in \(bucket.name) failed") }
            if walk.locked > 0 { return try await keep(bucket, locked: walk.locked) }
            if try await isEmpty(id) { return try await finish(bucket) }
        }
        throw NotEmpty(description: "something is written to \(bucket.name) all the time")
    }

    private func finish(_ bucket: BucketRecord) async throws {
        try await ending.end(.bucketRemovalFinish, of: bucket)
        state.withLock { $0.finished += 1 }
        logger.notice("a bucket was removed", metadata: ["bucket": "\(bucket.name)"])
    }

    /// What is locked stays, so the bucket stays: nobody loses sight of it.
    private func keep(_ bucket: BucketRecord, locked: Int) async throws {
        try await ending.end(.bucketRemovalCancel, of: bucket)
        state.withLock { state in
            state.kept.removeAll { $0 == bucket.name }
            state.kept.append(bucket.name)
            if state.kept.count > Self.keptMax { state.kept.removeFirst() }
        }
        logger.warning(
            "a bucket is in service again: object lock protects what is left",
            metadata: ["bucket": "\(bucket.name)", "versions": "\(locked)"])
    }

    // MARK: - Emptying

    /// Whether a quorum of every partition has nothing in any keyspace of the bucket.
    private func isEmpty(_ id: BucketID) async throws -> Bool {
        for keyspace in [Keyspace.objects, .versions, .uploads, .parts] {
            let query = ListQuery(bucket: id, keyspace: keyspace, limit: 1, withMarkers: keyspace == .objects)
            let page = try await registers.list(query, context: .init())
            guard page.entries.isEmpty, !page.truncated else { return false }
        }
        return true
    }

    private func walk(_ bucket: BucketRecord, _ id: BucketID, _ handle: TaskHandle) async throws -> Walk {
        var walk = Walk()
        try await removeVersions(bucket, id, handle, &walk)
        // An upload first: who completes it then finds it gone.
        for keyspace in [Keyspace.uploads, .parts] { try await removeRegisters(id, keyspace, handle, &walk) }
        return walk
    }

    /// Versions of one key, the newest first.
    private struct Group {
        var object: Model.RegisterName
        var versions: [VersionName]
    }

    private func removeVersions(
        _ bucket: BucketRecord, _ id: BucketID, _ handle: TaskHandle, _ walk: inout Walk
    ) async throws {
        let audience = RemovalAudience(bucket, .administrator)
        var merge = try await VersionMerge(
            registers, bucket: id, prefix: [], after: nil, limit: Limits.listKeysMax, MessageContext())
        var group: Group?
        var batch: [Group] = []
        while let version = try await merge.next() {
            if group?.object.key == version.key, group?.versions.count ?? 0 < Self.versionsAtOnce {
                group?.versions.append(version.summary.name)
                continue
            }
            if let group { batch.append(group) }
            // Parts of one key's versions never go at the same time.
            if batch.count >= Self.batchMax || group?.object.key == version.key {
                try await remove(batch, audience, handle, &walk)
                batch = []
            }
            group = Group(
                object: Model.RegisterName(bucket: id, key: version.key), versions: [version.summary.name])
        }
        if let group { batch.append(group) }
        try await remove(batch, audience, handle, &walk)
    }

    /// Keys that are dealt with before the pace is asked again.
    private static let batchMax = 32

    private func remove(
        _ batch: [Group], _ audience: RemovalAudience?, _ handle: TaskHandle, _ walk: inout Walk
    ) async throws {
        try await handle.admit(objects: batch.reduce(0) { $0 + $1.versions.count })
        let now = now()
        let noted = batch.map { group in
            group.versions.map { audience?.notice(of: group.object.key, $0, now: now) }
        }
        try await notices.begin(noted.flatMap { $0.compactMap(\.self) })
        let results = await withTaskGroup(of: (Int, Walk, [RemovalNotices.Ending]).self) { tasks in
            var results: [(Int, Walk, [RemovalNotices.Ending])] = []
            for (index, group) in batch.enumerated() {
                if index >= concurrency, let result = await tasks.next() { results.append(result) }
                tasks.addTask {
                    let (walk, endings) = await self.remove(group)
                    return (index, walk, endings)
                }
            }
            for await result in tasks { results.append(result) }
            return results
        }
        let ended = results.flatMap { index, _, endings in
            zip(noted[index], endings).compactMap { notice, ending in notice.map { ($0, ending) } }
        }
        await notices.end(ended)
        for (_, one, _) in results { note(one, in: &walk, handle) }
    }

    private func note(_ one: Walk, in walk: inout Walk, _ handle: TaskHandle) {
        walk.removed += one.removed
        walk.locked += one.locked
        walk.failures += one.failures
        state.withLock { $0.removed += one.removed }
        handle.update { progress in
            progress.done += UInt64(one.removed + one.locked)
            progress.objects += UInt64(one.removed)
            progress.failures += UInt64(one.failures)
        }
    }

    private struct Locked: Error {}

    /// The oldest first, so that none becomes current on the way. What is locked is decided by the version itself, at the
    /// moment when it would go. Endings stand in the order of the versions.
    private func remove(_ group: Group) async -> (Walk, [RemovalNotices.Ending]) {
        var walk = Walk()
        var endings: [RemovalNotices.Ending] = []
        let now = now()
        for version in group.versions.reversed() {
            do {
                let removed = try await versions.remove(version.id, of: group.object, context: .init()) { record in
                    if record?.isLocked(nowMilliseconds: now) == true { throw Locked() }
                }
                walk.removed += 1
                endings.append(removed.map { .removed(.init(sequence: $0.sequence)) } ?? .nothing)
            } catch is Locked {
                walk.locked += 1
                endings.append(.nothing)
            } catch {
                walk.failures += 1
                endings.append(.unknown)
                state.withLock { $0.lastError = "\(error)" }
            }
        }
        return (walk, endings.reversed())
    }

    private func removeRegisters(
        _ id: BucketID, _ keyspace: Keyspace, _ handle: TaskHandle, _ walk: inout Walk
    ) async throws {
        var query = ListQuery(bucket: id, keyspace: keyspace)
        while true {
            let page = try await registers.list(query, context: .init())
            var one = Walk()
            for case .key(let key, _, _) in page.entries {
                try await handle.admit(objects: 1)
                let name = Model.RegisterName(bucket: id, keyspace: keyspace, key: key)
                _ = try await registers.update(
                    name, deleting: true, staged: nil, operation: .random(), context: .init()
                ) { $0?.isLive == true ? .write(.tombstone) : .keep }
                one.removed += 1
            }
            note(one, in: &walk, handle)
            guard page.truncated, let next = page.next else { return }
            query.after = next
        }
    }

    private func fail(_ error: any Error, _ bucket: BucketRecord, _ handle: TaskHandle) {
        handle.update { $0.failures += 1 }
        logger.info("a bucket cannot be removed yet", metadata: ["bucket": "\(bucket.name)", "error": "\(error)"])
        state.withLock { $0.lastError = "\(bucket.name): \(error)" }
    }
}

/// Tries the managers one after the other. A repeated request does nothing more.
struct ManagerRemovals: RemovalEnding {
    private static let timeout = Duration.seconds(5)

    let bus: any RequestSending
    let cluster: any ClusterViewing

    func end(_ change: BucketChange, of bucket: BucketRecord) async throws {
        let request = ChangeBucketRequest(change: change, name: bucket.name, id: bucket.id)
        var failure = BusError(.unreachable, "no manager is known")
        for manager in cluster.view.managers {
            do throws(BusError) {
                let reply = try await bus.request(
                    .changeBucket, request, to: manager, timeout: Self.timeout, answer: ChangeBucketReply.self)
                guard reply.message.outcome != .bucketBusy else {
                    throw BusError(.conflict, "the bucket is not being removed any more")
                }
                try? await cluster.refresh()
                return
            } catch { failure = error }
        }
        throw failure
    }
}
