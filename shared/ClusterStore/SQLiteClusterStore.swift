import Foundation
import GRDB
import Synchronization

/// The embedded engine: one SQLite file, written ahead and synced at every commit, for a single manager.
public final class SQLiteClusterStore: ClusterStore {
    public struct Options: Sendable {
        /// Revisions whose changes are kept for watchers.
        public var historyMax: UInt64 = 10_000
        /// Milliseconds since 1970: leases end by it.
        public var now: @Sendable () -> Int64 = systemMilliseconds

        public init() {}
    }

    static let changesPerBatch = 1_000

    let queue: DatabaseQueue
    let options: Options
    let bell: StoreBell
    /// When the next lease ends: `Int64.max` without leases.
    let nextDeadline: Mutex<Int64>
    private let leaseTimer = Mutex<Task<Void, Never>?>(nil)

    /// Opens the file, makes it when there is none. ":memory:" keeps nothing.
    public init(path: String, options: Options = Options()) throws(StoreError) {
        var configuration = Configuration()
        configuration.label = "martlet.cluster-store"
        if path != ":memory:" {
            configuration.journalMode = .wal
            // SQLite gives its other files the mode of this one.
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            if descriptor >= 0 { Foundation.close(descriptor) }
        }
        self.options = options
        do {
            queue =
                try path == ":memory:"
                ? DatabaseQueue(configuration: configuration) : DatabaseQueue(path: path, configuration: configuration)
            // With WAL this syncs the log at every commit: what is acknowledged survives a power failure. Not before the
            // queue is open: GRDB sets NORMAL, which syncs at checkpoints only, when it turns WAL on.
            try queue.writeWithoutTransaction { try $0.execute(sql: "PRAGMA synchronous = FULL") }
            try queue.write { try StoreSchema.prepare($0, path: path) }
            let now = options.now()
            let (revision, deadline) = try queue.write { database in
                // Nobody could renew while the store was closed: every lease begins anew.
                try StoreLeases.restart(database, now: now)
                return try (StoreTables.revision(database), StoreLeases.nextDeadline(database))
            }
            bell = StoreBell(revision: revision)
            nextDeadline = Mutex(deadline)
        } catch {
            throw StoreError(error)
        }
        if nextDeadline.withLock({ $0 }) != .max { startLeaseTimer() }
    }

    deinit { leaseTimer.withLock { $0?.cancel() } }

    public func get(_ key: String) async throws(StoreError) -> StoreEntry? {
        try await perform { try StoreTables.entry(key, $0) }
    }

    public func range(_ range: KeyRange, limit: Int?) async throws(StoreError) -> StoreSnapshot {
        try await perform { try StoreTables.range(range, limit: limit, $0) }
    }

    public func commit(_ transaction: StoreTransaction) async throws(StoreError) -> TransactionOutcome {
        let historyMax = options.historyMax
        let outcome = try await perform { database in
            let outcome = try StoreTables.commit(transaction, database)
            if case .committed(let revision) = outcome {
                // In batches: an entry of the history is not deleted for every entry made.
                let slack = historyMax / 10
                if revision > historyMax + slack, try StoreTables.compacted(database) < revision - historyMax - slack {
                    try StoreTables.compact(upTo: revision - historyMax, database)
                }
            }
            return outcome
        }
        if case .committed(let revision) = outcome { bell.ring(revision) }
        return outcome
    }

    /// Fills a store that was never changed. Its revision is greater than `revision` afterwards.
    public func fill(with entries: [StoreEntry], after revision: UInt64) async throws(StoreError) {
        let filled = try await perform { database in
            guard try StoreTables.revision(database) == 0 else { return false }
            let puts = entries.map { StoreTransaction.Operation.put(key: $0.key, value: $0.value, lease: nil) }
            _ = try StoreTables.apply(puts, revision: revision + 1, database)
            // Changes from before cannot be told one by one.
            try StoreTables.compact(upTo: revision + 1, database)
            return true
        }
        guard filled else { throw .foreignFormat("the store is not empty") }
        bell.ring(revision + 1)
    }

    public func compact(upTo revision: UInt64) async throws(StoreError) {
        try await perform { try StoreTables.compact(upTo: revision, $0) }
    }

    public func close() async throws(StoreError) {
        leaseTimer.withLock { $0?.cancel() }
        bell.close()
        do { try queue.close() } catch { throw StoreError(error) }
    }

    /// Runs a transaction of the database, after the leases that are due have ended.
    func perform<T: Sendable>(_ body: @escaping @Sendable (Database) throws -> T) async throws(StoreError) -> T {
        guard !bell.isClosed else { throw .closed }
        let now = options.now()
        let due = nextDeadline.withLock { $0 <= now }
        do {
            let (result, ended) = try await queue.write { database in
                let ended = try due ? StoreLeases.expire(database, now: now) : nil
                return try (body(database), ended)
            }
            if let ended {
                nextDeadline.withLock { $0 = ended.nextDeadline }
                bell.ring(ended.revision)
            }
            return result
        } catch {
            throw StoreError(error)
        }
    }

    /// Ends leases in time for watchers even when nobody asks.
    func startLeaseTimer() {
        leaseTimer.withLock { timer in
            guard timer == nil else { return }
            timer = Task { [weak self] in
                while !Task.isCancelled {
                    try? await Task.sleep(for: .milliseconds(500))
                    guard let self else { return }
                    let now = options.now()
                    guard nextDeadline.withLock({ $0 <= now }) else { continue }
                    try? await perform { _ in }
                }
            }
        }
    }
}

/// Milliseconds since 1970.
public let systemMilliseconds: @Sendable () -> Int64 = {
    var now = timespec()
    clock_gettime(CLOCK_REALTIME, &now)
    return Int64(now.tv_sec) * 1_000 + Int64(now.tv_nsec) / 1_000_000
}
