import Model
import Synchronization

/// What a record of the log means for the index.
public enum IndexChange: Sendable {
    case register(RegisterName, IndexedRegister)
    case blob(BlobKey, BlobLocation)
    /// The id is the raw position of the hint's record.
    case hint(id: UInt64, [UInt8])
    case forgetHints([UInt64])
    case ceiling(UInt64)
    /// Something before this position of the log was lost and nobody knows what: older entries cannot be trusted.
    case doubt(before: UInt64)
}

/// What a batch of changes did: what digests need to know.
public struct AppliedChanges: Sendable, Equatable {
    public struct Transition: Sendable, Equatable {
        public var name: RegisterName
        /// nil: it is new.
        public var old: Ballot?
        public var new: Ballot
    }

    public var registers: [Transition] = []
    /// New ones.
    public var chunks: [ChunkName] = []
    public init() {}
}

/// What the log of one disk holds, sorted by key. Derived: a record counts when it is in the log, and an index that is
/// lost or old is brought up to date by replaying the log from its checkpoint.
///
/// Changes are applied in the order of the log, by one thread; reads come from any thread.
public final class MetadataIndex: Sendable {
    let database: Database
    private let state: Mutex<State>

    private struct State {
        var checkpoint: UInt64
        var ceiling: UInt64
        var totals: StorageTotals
        var doubt: UInt64
        var hintCount: UInt64
        var flushed: UInt64
    }

    public init(path: String, memory: IndexMemory) throws {
        database = try Database(path: path, memory: memory)
        let database = database
        func number(_ key: [UInt8]) throws -> UInt64 {
            try database.get(key) { value -> UInt64? in
                var reader = ByteReader(value)
                return reader.number()
            }.flatMap { $0 } ?? 0
        }
        var hints: UInt64 = 0
        try database.scan(from: [IndexKeys.hints], below: [IndexKeys.hints + 1]) { _ in
            hints += 1
            return .next
        }
        let checkpoint = try number(IndexKeys.checkpoint)
        state = Mutex(
            State(
                checkpoint: checkpoint, ceiling: try number(IndexKeys.ceiling),
                totals: try database.get(IndexKeys.totals) { StorageTotals(decoding: $0) }.flatMap { $0 } ?? .init(),
                doubt: try number(IndexKeys.doubt), hintCount: hints, flushed: checkpoint))
    }

    /// Everything in the log before this position is in the index.
    public var checkpoint: UInt64 { state.withLock { $0.checkpoint } }
    /// The durable ceiling of promises.
    public var ceiling: UInt64 { state.withLock { $0.ceiling } }
    public var totals: StorageTotals { state.withLock { $0.totals } }
    public var hintCount: UInt64 { state.withLock { $0.hintCount } }
    /// Entries whose records stand before this position, and keys without an entry, cannot be trusted. 0: all can.
    public var doubt: UInt64 { state.withLock { $0.doubt } }
    /// The checkpoint that a restart would find.
    public var flushedCheckpoint: UInt64 { state.withLock { $0.flushed } }

    // MARK: - Reading

    public func register(_ name: RegisterName) throws(IndexError) -> IndexedRegister? {
        guard let found = try database.get(IndexKeys.register(name.indexKey), { IndexedRegister(decoding: $0) }) else {
            return nil
        }
        guard let found else { throw IndexError("unreadable entry of a register") }
        return found
    }

    public func blob(_ key: BlobKey) throws(IndexError) -> BlobLocation? {
        guard let found = try database.get(IndexKeys.blob(key), { BlobLocation(decoding: $0) }) else { return nil }
        guard let found else { throw IndexError("unreadable entry of a blob") }
        return found
    }

    public func bucketTotals(_ bucket: BucketID) throws(IndexError) -> BucketTotals {
        try database.get(IndexKeys.bucketTotals(bucket)) { BucketTotals(decoding: $0) }.flatMap { $0 } ?? .init()
    }

    /// Hints with larger ids than `after`, in order.
    public func hints(after: UInt64, limit: Int) throws -> [(id: UInt64, hint: [UInt8])] {
        var hints: [(id: UInt64, hint: [UInt8])] = []
        let start = after == .max ? [IndexKeys.hints + 1] : IndexKeys.hint(after + 1)
        try database.scan(from: start, below: [IndexKeys.hints + 1]) { step in
            guard hints.count < limit else { return .stop }
            let id = step.key.dropFirst().reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
            hints.append((id, Array(step.value)))
            return .next
        }
        return hints
    }

    // MARK: - Writing

    /// Applies changes in the order of the log. `checkpoint`: the position behind the last of them.
    @discardableResult
    public func apply(_ changes: [IndexChange], checkpoint: UInt64) throws -> AppliedChanges {
        let before = state.withLock { $0 }
        var application = IndexApplication(index: self, totals: before.totals)
        for change in changes { try application.apply(change) }
        try application.finish(checkpoint: checkpoint)
        try database.write(application.batch)
        state.withLock { state in
            state.checkpoint = checkpoint
            state.ceiling = max(state.ceiling, application.ceiling ?? 0)
            state.totals = application.totals
            state.doubt = application.doubt ?? state.doubt
            state.hintCount = UInt64(max(0, Int64(clamping: state.hintCount) + application.hintDelta))
        }
        return application.applied
    }

    /// Makes the index durable up to its checkpoint. Blocks for as long as the disk takes.
    public func flush() throws {
        let reached = checkpoint
        try database.flush()
        state.withLock { $0.flushed = max($0.flushed, reached) }
    }
}
