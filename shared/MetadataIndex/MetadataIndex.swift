import Model
import Synchronization

/// What the log of one disk holds, sorted by key. Derived: a record counts when it is in the log, and an index that is
/// lost or old is brought up to date by replaying the log from its checkpoint.
///
/// Changes come in the order of the log, reads at any time, both from any thread.
public final class MetadataIndex: Sendable {
    let database: Database
    private let state: Mutex<State>
    /// Held by whoever changes something.
    private let writing = Mutex(())

    private struct State {
        var checkpoint: UInt64
        var ceiling: UInt64
        var floor: IndexFloor
        var totals: StorageTotals
        var counts: EntryCounts
        var doubts: SlotDoubts
        var left: LeftSlots
        var leftPartitions: LeftPartitions
        var segments: [UInt32: SegmentTotals]
        var flushed: UInt64
    }

    /// Opens or makes the index of a log. One that belongs to another log, or to another version of this software, is an
    /// ``IndexError`` of the kind corruption, like one that is damaged: it is to be deleted and made anew.
    public init(path: String, memory: IndexMemory, disk: DiskID = DiskID(high: 0, low: 0)) throws {
        database = try Database(path: path, memory: memory)
        let format = try IndexFormat.check(database, disk: disk)
        state = Mutex(try Self.load(database))
        if let format { try database.write(format) }
    }

    /// Whether there is room enough to open an index that failed for want of it.
    public static func hasRoom(path: String) -> Bool { Database.hasRoom(path, times: 2) }

    private static func load(_ database: Database) throws -> State {
        func number(_ key: [UInt8]) throws -> UInt64 {
            try database.get(key) { value -> UInt64? in
                var reader = ByteReader(value)
                return reader.number()
            }.flatMap { $0 } ?? 0
        }
        var segments: [UInt32: SegmentTotals] = [:]
        let bound = IndexKeys.successor(of: IndexKeys.segments)
        try database.scan(from: IndexKeys.segments, below: bound) { step in
            let segment = step.key.dropFirst(2).reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
            segments[segment] = SegmentTotals(decoding: step.value)
            return .next
        }
        let checkpoint = try number(IndexKeys.checkpoint)
        return State(
            checkpoint: checkpoint, ceiling: try number(IndexKeys.ceiling),
            floor: try database.get(IndexKeys.floor) { IndexFloor(decoding: $0) }.flatMap { $0 } ?? .init(),
            totals: try database.get(IndexKeys.totals) { StorageTotals(decoding: $0) }.flatMap { $0 } ?? .init(),
            counts: try database.get(IndexKeys.counts) { EntryCounts(decoding: $0) }.flatMap { $0 } ?? .init(),
            doubts: try database.get(IndexKeys.doubt) { SlotDoubts(decoding: $0) }.flatMap { $0 } ?? .init(),
            left: try database.get(IndexKeys.left) { LeftSlots(decoding: $0) }.flatMap { $0 } ?? .init(),
            leftPartitions: try database.get(IndexKeys.leftPartitions) { LeftPartitions(decoding: $0) }
                .flatMap { $0 } ?? .init(),
            segments: segments, flushed: checkpoint)
    }

    /// Everything in the log before this position is in the index.
    public var checkpoint: UInt64 { state.withLock { $0.checkpoint } }
    /// The checkpoint that a restart would find.
    public var flushedCheckpoint: UInt64 { state.withLock { $0.flushed } }
    /// The durable ceiling of promises.
    public var ceiling: UInt64 { state.withLock { $0.ceiling } }
    /// What was purged.
    public var floor: IndexFloor { state.withLock { $0.floor } }
    /// Keys that were purged, and of which older records may be met in the log.
    public var purgedCount: UInt64 { state.withLock { UInt64(max(0, $0.counts.purged)) } }
    public var totals: StorageTotals { state.withLock { $0.totals } }
    public var hintCount: UInt64 { state.withLock { UInt64(max(0, $0.counts.hints)) } }
    /// Released content that nobody has dropped yet.
    public var releaseCount: UInt64 { state.withLock { UInt64(max(0, $0.counts.releases)) } }

    /// What each segment of the log holds.
    public var segmentTotals: [UInt32: SegmentTotals] { state.withLock { $0.segments } }

    public func segmentTotals(of segment: UInt32) -> SegmentTotals? { state.withLock { $0.segments[segment] } }

    // MARK: - Doubt

    /// Of some slot. Entries whose records stand before the slot's position, and keys without an entry, cannot be trusted.
    public var hasDoubt: Bool { doubt != 0 }
    /// The highest position of all slots; 0: all can be trusted.
    public var doubt: UInt64 { state.withLock { $0.doubts.highest } }
    /// 0: the slot can be trusted.
    public func doubt(ofSlot slot: Int) -> UInt64 { state.withLock { $0.doubts.position(ofSlot: slot) } }
    /// The slots that share a position, the lowest position first.
    public var doubts: [(slots: SlotSet, before: UInt64)] { slotDoubts.groups }
    /// Those of which something cannot be trusted.
    public var doubted: SlotSet { SlotSet(slotDoubts.groups.flatMap(\.slots.slots)) }
    /// Up to here everything was in doubt once, whether that is settled or not.
    public var doubtedThroughout: UInt64 { slotDoubts.throughout }
    var slotDoubts: SlotDoubts { state.withLock { $0.doubts } }
    var leftSlots: LeftSlots { state.withLock { $0.left } }
    var leftPartitions: LeftPartitions { state.withLock { $0.leftPartitions } }

    /// Whether a record of this key counts for nothing, because its slot or partition was left after it was written.
    /// - Parameter key: the index key of a register or the ring key of a chunk.
    public func hasLeft(key: [UInt8], position: UInt64) -> Bool {
        state.withLock { state in
            !state.left.isEmpty && state.left.contains(position, ofSlot: SlotSet.slot(ofKey: key))
                || state.leftPartitions.contains(position, key)
        }
    }

    // MARK: - Reading

    public func register(_ name: RegisterName) throws(IndexError) -> IndexedRegister? {
        guard let found = try database.get(IndexKeys.register(name.indexKey), { IndexedRegister(decoding: $0) }) else {
            return nil
        }
        guard let found else { throw IndexError.corruption("unreadable entry of a register") }
        return found
    }

    /// The same, from memory. Never waits for the device.
    public func cachedRegister(_ name: RegisterName) -> CacheLookup<IndexedRegister> {
        switch database.cached(IndexKeys.register(name.indexKey), { IndexedRegister(decoding: $0) }) {
        case .hit(let found): found.map { .hit($0) } ?? .miss
        case .absent: .absent
        case .miss: .miss
        }
    }

    /// nil: it is not here, or was dropped.
    public func blob(_ key: BlobKey) throws(IndexError) -> BlobLocation? {
        if case .stored(let location)? = try entry(key) { location } else { nil }
    }

    /// The same, from memory; nil also when only the device can tell.
    public func cachedBlob(_ key: BlobKey) -> BlobLocation? {
        guard case .hit(.stored(let location)?) = database.cached(IndexKeys.blob(key), { BlobEntry(decoding: $0) })
        else { return nil }
        return location
    }

    /// What remains of a chunk that was dropped; nil: it was not, or no copy of it can be left.
    public func droppedMarker(of key: BlobKey) throws(IndexError) -> DroppedMarker? {
        if case .dropped(let marker)? = try entry(key) { marker } else { nil }
    }

    public func isDropped(_ key: BlobKey) throws(IndexError) -> Bool { try droppedMarker(of: key) != nil }

    /// What the index has under the key: a place in the log, or the marker of a chunk that was dropped; nil: nothing.
    public func entry(_ key: BlobKey) throws(IndexError) -> BlobEntry? {
        guard let found = try database.get(IndexKeys.blob(key), { BlobEntry(decoding: $0) }) else { return nil }
        guard let found else { throw IndexError.corruption("unreadable entry of a blob") }
        return found
    }

    func unclaimedBlobs(of name: RegisterName) throws -> Set<BlobID> {
        guard state.withLock({ $0.counts.unclaimed }) > 0 else { return [] }
        let prefix = IndexKeys.unclaimed(of: name.indexKey)
        var blobs: Set<BlobID> = []
        try database.scan(from: prefix, below: IndexKeys.successor(of: prefix)) { step in
            if let blob = BlobID(step.key.dropFirst(prefix.count)) { blobs.insert(blob) }
            return .next
        }
        return blobs
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
            hints.append((id, Array(step.value.dropFirst(4))))
            return .next
        }
        return hints
    }

    // MARK: - Writing

    /// Applies changes. `checkpoint`: the position behind the last of them; `milliseconds`: wall clock, for releases.
    @discardableResult
    public func apply(
        _ changes: [IndexChange], checkpoint: UInt64, milliseconds: Int64 = 0
    ) throws -> AppliedChanges {
        try writing.withLock { _ in try applyLocked(changes, checkpoint: checkpoint, milliseconds: milliseconds) }
    }

    private func applyLocked(
        _ changes: [IndexChange], checkpoint: UInt64, milliseconds: Int64
    ) throws -> AppliedChanges {
        let application = try run(checkpoint: checkpoint, milliseconds: milliseconds) { application in
            for change in changes { try application.apply(change) }
        }
        return application.applied
    }

    /// Changes entries that no record speaks of.
    @discardableResult
    func change(_ body: (inout IndexApplication) throws -> Void) throws -> AppliedChanges {
        try writing.withLock { _ in try run(checkpoint: checkpoint, milliseconds: 0, body).applied }
    }

    private func run(
        checkpoint: UInt64, milliseconds: Int64, _ body: (inout IndexApplication) throws -> Void
    ) throws -> IndexApplication {
        let (totals, counts) = state.withLock { ($0.totals, $0.counts) }
        var application = IndexApplication(index: self, totals: totals, counts: counts, milliseconds: milliseconds)
        try body(&application)
        try application.finish(checkpoint: checkpoint)
        try database.write(application.batch)
        state.withLock { state in
            state.checkpoint = checkpoint
            state.ceiling = max(state.ceiling, application.ceiling ?? 0)
            state.floor.rise(to: application.floor)
            state.totals = application.totals
            state.counts = application.counts
            if let doubts = application.doubts { state.doubts = doubts }
            if let left = application.left { state.left = left }
            if let partitions = application.leftPartitions { state.leftPartitions = partitions }
            for (segment, totals) in application.segments { state.segments[segment] = totals }
        }
        return application
    }

    /// A segment is gone from the log, and nothing in force was left in it.
    public func removeSegmentTotals(_ segment: UInt32) throws {
        try writing.withLock { _ in
            let batch = DatabaseBatch()
            var totals = self.totals
            guard let removed = segmentTotals(of: segment) else { return }
            totals.forget(removed)
            batch.delete(IndexKeys.segmentTotals(segment))
            batch.put(IndexKeys.totals, totals.encoded())
            try database.write(batch)
            state.withLock { state in
                state.totals = totals
                state.segments[segment] = nil
            }
        }
    }

    /// No copy of these chunks can be left in the log: they may be installed again.
    public func forgetDropped(_ keys: [BlobKey]) throws {
        try writing.withLock { _ in
            let batch = DatabaseBatch()
            for key in keys where try isDropped(key) { batch.delete(IndexKeys.blob(key)) }
            try database.write(batch)
        }
    }

    /// These releases were dealt with.
    public func forgetReleases(_ ids: [[UInt8]]) throws {
        try writing.withLock { _ in
            let batch = DatabaseBatch()
            var counts = state.withLock { $0.counts }
            for id in Set(ids) {
                let key = [IndexKeys.releases] + id
                guard try database.get(key, { _ in true }) != nil else { continue }
                batch.delete(key)
                counts.releases -= 1
            }
            batch.put(IndexKeys.counts, counts.encoded())
            try database.write(batch)
            state.withLock { $0.counts = counts }
        }
    }

    /// Makes the index durable up to its checkpoint. Blocks for as long as the disk takes.
    public func flush() throws {
        let reached = checkpoint
        try database.flush()
        state.withLock { $0.flushed = max($0.flushed, reached) }
    }
}
