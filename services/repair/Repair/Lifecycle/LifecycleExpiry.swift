import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Observability
import Register
import S3Protocol
import Synchronization
import Wire

/// Carries out the lifecycles of all buckets: removes what is over. Walks over every bucket that has rules, or objects with a
/// time of their own.
///
/// What a listing says only names candidates. Each removal is decided by the register of the key, from the version that
/// is there at that moment: what was replaced, tagged or locked in between is judged anew.
final class LifecycleExpiry: Sendable {
    /// Encoded as JSON for the administrator.
    struct Status: Codable, Sendable, Equatable {
        /// Of the last walk.
        var buckets = 0
        var versionsChecked = 0
        var failures = 0
        /// Since the start.
        var expired = 0
        var noncurrentRemoved = 0
        var markersRemoved = 0
        var uploadsAborted = 0
        var lastError = ""
    }

    let registers: any RegisterStoring
    let versions: ObjectVersions
    let time: LifecycleClock
    /// Wall clock, in milliseconds since 1970.
    let now: @Sendable () -> Int64
    private let cluster: any ClusterViewing
    private let notices: RemovalNotices
    private let removed: Counter
    private let logger: Logger
    private let state = Mutex(Status())

    init(
        registers: any RegisterStoring, cluster: any ClusterViewing, notices: RemovalNotices, time: LifecycleClock,
        metrics: MetricsRegistry, logger: Logger, now: @escaping @Sendable () -> Int64 = { WallClock.milliseconds }
    ) {
        self.registers = registers
        self.cluster = cluster
        self.notices = notices
        self.time = time
        self.now = now
        self.logger = logger
        versions = ObjectVersions(registers, clock: now)
        removed = metrics.counter(
            "martlet_repair_lifecycle_removed_total",
            help: "Objects, versions, delete markers and uploads that lifecycles have removed")
    }

    var status: Status { state.withLock { $0 } }

    /// One walk. One at a time: the caller sees to that.
    func round(_ handle: TaskHandle = TaskHandle()) async throws {
        state.withLock { ($0.buckets, $0.versionsChecked, $0.failures) = (0, 0, 0) }
        let buckets = cluster.view.buckets.values.sorted { $0.name < $1.name }
        for bucket in buckets where bucket.state == .bucketActive {
            do {
                guard let run = try LifecycleRun(bucket) else { continue }
                state.withLock { $0.buckets += 1 }
                handle.update { $0.note = "bucket \(bucket.name)" }
                try await expireVersions(run, handle)
                try await abortUploads(run, handle)
            } catch let error as CancellationError {
                throw error
            } catch {
                fail(error, handle)
            }
        }
    }

    // MARK: - Versions

    private func expireVersions(_ run: LifecycleRun, _ handle: TaskHandle) async throws {
        guard run.concernsVersions else { return }
        var merge = try await VersionMerge(
            registers, bucket: run.id, prefix: run.commonPrefix, after: nil, limit: Limits.listKeysMax, MessageContext()
        )
        var key = KeyWalk()
        while let version = try await merge.next() {
            try await handle.admit(objects: 1)
            handle.update { $0.done += 1 }
            state.withLock { $0.versionsChecked += 1 }
            if let finished = key.add(version) { await attempt(handle) { try await self.endKey(finished, run) } }
            if version.isLatest {
                if run.mayExpire(version, time, now: now()) {
                    await attempt(handle) { try await self.expire(version, run) }
                }
            } else if let since = key.becameNoncurrent,
                run.mayRemove(version, since: since, newer: key.noncurrent - 1, time, now: now())
            {
                await attempt(handle) {
                    try await self.removeNoncurrent(version, since: since, newer: key.noncurrent - 1, run)
                }
            }
        }
        if let finished = key.finish() { await attempt(handle) { try await self.endKey(finished, run) } }
    }

    /// The current object: it goes, or a delete marker comes above it.
    private func expire(_ version: ListedVersion, _ run: LifecycleRun) async throws -> Bool {
        let number = UInt64.random(in: 1 ... .max)
        let marker: RemovalNotice.Marker? =
            switch run.versioning {
            case .unversioned: nil
            case .enabled: .numbered(number)
            case .suspended: .null
            }
        let notice = run.audience?.notice(of: version.key, version.summary.name, marker: marker, now: now())
        let isDone = try await notices.during(notice) { try await expire(version, run, number: number) }
        if isDone { count { $0.expired += 1 } }
        return isDone
    }

    private func expire(
        _ version: ListedVersion, _ run: LifecycleRun, number: UInt64
    ) async throws -> RemovalNotice.Removed? {
        let object = Model.RegisterName(bucket: run.id, key: version.key)
        let (now, time, mode) = (now(), time, run.versioning)
        let marker = ObjectRecord(
            version: ObjectRecord.formatVersion, modifiedMilliseconds: now, owner: run.bucket.owner,
            kind: .versionDeleteMarker)
        let didChange = Mutex(false)
        for _ in 0..<8 {
            do {
                let state = try await registers.update(
                    object, deleting: mode == .unversioned, staged: nil, operation: .random(), context: .init()
                ) { state in
                    didChange.withLock { $0 = false }
                    do {
                        var versions = try KeyVersions(state)
                        // What has come above it since is left to the next walk.
                        guard let current = versions.current, current.name == version.summary.name,
                            run.expires(current, version.key, time, now: now),
                            versions.marksDeletes(mode) == (mode != .unversioned),
                            !(current.isLocked(nowMilliseconds: now) && !versions.marksDeletes(mode))
                        else { return .keep }
                        if versions.marksDeletes(mode) {
                            try versions.put(marker, mode, number: number, nowMilliseconds: now) { old in
                                if old.isLocked(nowMilliseconds: now) { throw Locked() }
                            }
                        } else {
                            versions.removeOnly()
                        }
                        didChange.withLock { $0 = true }
                        return .write(versions.stored)
                    } catch {
                        return .refuse(error)
                    }
                }
                guard didChange.withLock({ $0 }) else { return nil }
                let current = mode == .unversioned ? nil : try KeyVersions(state).current
                return .init(sequence: state?.sequence ?? 0, marker: current.flatMap { run.bucket.shown($0.versionId) })
            } catch AccessError.refused(KeyVersions.Obstacle.unsettled) {
                try await versions.settle(object, context: .init())
            } catch AccessError.refused(is Locked) {
                return nil
            }
        }
        return nil
    }

    private func removeNoncurrent(
        _ version: ListedVersion, since: Int64, newer: Int, _ run: LifecycleRun
    ) async throws -> Bool {
        let now = now()
        let isDone = try await remove(version, run) { [time] record in
            guard let record, record.name == version.summary.name, !record.isLocked(nowMilliseconds: now),
                run.removes(record, version.key, since: since, newer: newer, time, now: now)
            else { throw Unchanged() }
        }
        if isDone { count { $0.noncurrentRemoved += 1 } }
        return isDone
    }

    /// A delete marker that is all there is of its key.
    private func endKey(_ key: KeyWalk.Finished, _ run: LifecycleRun) async throws -> Bool {
        guard key.isLoneMarker, run.removesMarker(key.latest, time, now: now()) else { return false }
        let isDone = try await remove(key.latest, run) { record in
            guard let record, record.isDeleteMarker, record.noncurrent == 0 else { throw Unchanged() }
        }
        if isDone { count { $0.markersRemoved += 1 } }
        return isDone
    }

    /// For good. `refusing` throws ``Unchanged`` when the version is to stay.
    private func remove(
        _ version: ListedVersion, _ run: LifecycleRun, refusing: @escaping @Sendable (ObjectRecord?) throws -> Void
    ) async throws -> Bool {
        let object = Model.RegisterName(bucket: run.id, key: version.key)
        let notice = run.audience?.notice(of: version.key, version.summary.name, now: now())
        return try await notices.during(notice) {
            do {
                let removed = try await versions.remove(
                    version.summary.versionId, of: object, context: .init(), refusing: refusing)
                return removed.map { .init(sequence: $0.sequence) }
            } catch is Unchanged {
                return nil
            }
        }
    }

    private struct Locked: Error {}
    /// Something came in between, or the version is locked: it stays.
    private struct Unchanged: Error {}

    // MARK: - Uploads

    private func abortUploads(_ run: LifecycleRun, _ handle: TaskHandle) async throws {
        guard run.rules.contains(where: { $0.abortDays != nil }) else { return }
        var query = ListQuery(bucket: run.id, keyspace: .uploads)
        while true {
            let page = try await registers.list(query, context: .init())
            for case .key(let key, let bytes, _) in page.entries {
                try await handle.admit(objects: 1)
                let summary = try ListingSummary(decoding: bytes)
                guard key.count > 17,
                    run.aborts(key: Array(key.dropLast(17)), summary.modifiedMilliseconds, time, now: now())
                else { continue }
                await attempt(handle) {
                    try await self.abort(Model.RegisterName(bucket: run.id, keyspace: .uploads, key: key))
                }
            }
            guard page.truncated, let next = page.next else { return }
            query.after = next
        }
    }

    /// Only an open upload: one that is being completed is decided by its object.
    private func abort(_ upload: Model.RegisterName) async throws -> Bool {
        let didChange = Mutex(false)
        _ = try await registers.update(
            upload, deleting: true, staged: nil, operation: .random(), context: .init()
        ) { state in
            didChange.withLock { $0 = false }
            guard let record = state.flatMap({ $0.isLive ? $0.record : nil }),
                let present = try? UploadRecord(stored: record), present.state == .uploadOpen
            else { return .keep }
            didChange.withLock { $0 = true }
            return .write(.tombstone)
        }
        guard didChange.withLock({ $0 }) else { return false }
        try await forgetParts(of: upload)
        count { $0.uploadsAborted += 1 }
        return true
    }

    /// Nobody looks for them any more, so what is left over after a failure harms nobody but for its room.
    private func forgetParts(of upload: Model.RegisterName) async throws {
        var query = ListQuery(bucket: upload.bucket, keyspace: .parts, prefix: Array(upload.key.suffix(16)))
        while true {
            let page = try await registers.list(query, context: .init())
            for case .key(let key, _, _) in page.entries {
                let part = Model.RegisterName(bucket: upload.bucket, keyspace: .parts, key: key)
                _ = try await registers.update(
                    part, deleting: true, staged: nil, operation: .random(), context: .init()
                ) { $0?.isLive == true ? .write(.tombstone) : .keep }
            }
            guard page.truncated, let next = page.next else { return }
            query.after = next
        }
    }

    // MARK: - Bookkeeping

    private func count(_ body: (inout Status) -> Void) {
        removed.increment()
        state.withLock { body(&$0) }
    }

    private func attempt(_ handle: TaskHandle, _ body: () async throws -> Bool) async {
        do {
            if try await body() { handle.update { $0.objects += 1 } }
        } catch {
            fail(error, handle)
        }
    }

    private func fail(_ error: any Error, _ handle: TaskHandle) {
        handle.update { $0.failures += 1 }
        logger.debug("a lifecycle could not be carried out", metadata: ["error": "\(error)"])
        state.withLock { state in
            state.failures += 1
            state.lastError = "\(error)"
        }
    }
}
