import Model

/// Turns changes into one batch of RocksDB, with the counts that follow from them.
///
/// The entries that result do not depend on the order in which the copies of records come, nor on how often they come.
struct IndexApplication {
    let index: MetadataIndex
    let batch = DatabaseBatch()
    /// Wall clock, for releases.
    let milliseconds: Int64
    var totals: StorageTotals
    var counts: EntryCounts
    private(set) var ceiling: UInt64?
    var floor: IndexFloor
    private(set) var doubts: SlotDoubts?
    var left: LeftSlots?
    var leftPartitions: LeftPartitions?
    private(set) var segments: [UInt32: SegmentTotals] = [:]
    var applied = AppliedChanges()

    // What earlier changes of this batch have read or made of the entries.
    var registers: [RegisterName: IndexedRegister?] = [:]
    var blobs: [BlobKey: BlobEntry?] = [:]
    var unclaimed: [RegisterName: Unclaimed] = [:]
    var buckets: [BucketID: BucketTotals] = [:]
    var purged: [RegisterName: PurgedMarker?] = [:]
    private var hints: [UInt64: UInt32?] = [:]

    init(index: MetadataIndex, totals: StorageTotals, counts: EntryCounts, milliseconds: Int64) {
        self.index = index
        self.totals = totals
        self.counts = counts
        self.milliseconds = milliseconds
        floor = index.floor
    }

    mutating func apply(_ change: IndexChange) throws {
        switch change {
        case .register(let name, let register): try apply(name, register)
        case .blob(let key, let location, let owner): try apply(key, location, owner)
        case .damaged(let key, let owner): try markDamaged(key, owner)
        case .dropChunks(let blob, let indexes, let watermark, let place):
            meet(place, .control)
            try drop(blob, indexes, watermark: watermark == 0 ? place.position : watermark, place.position)
        case .hint(let id, let hint, let size): try apply(hint: id, hint, RecordPlace(position: id, size: size))
        case .forgetHints(let ids, let place):
            meet(place, .control)
            for id in ids { try forget(hint: id) }
        case .ceiling(let counter, let place):
            meet(place, .control)
            ceiling = max(ceiling ?? index.ceiling, counter)
            batch.putNumber(IndexKeys.ceiling, ceiling!)
        case .doubt(let position, let slots, let place):
            meet(place, .control)
            changeDoubts { $0.doubt(before: position, slots) }
        case .trust(let position, let slots, let place):
            meet(place, .control)
            changeDoubts { $0.trust(before: position, slots) }
        case .leftSlots(let position, let slots, let place):
            meet(place, .control)
            changeLeft { $0.leave(slots, before: position) }
        case .leftPartitions(let position, let cut, let partitions, let place):
            meet(place, .control)
            changeLeftPartitions { $0.leave(partitions, of: cut, before: position) }
        case .floor(let floor, let place):
            meet(place, .control)
            raiseFloor(to: floor)
        case .purge(let purged, let watermark, let place):
            meet(place, .control)
            try purge(purged, watermark: watermark == 0 ? place.position : watermark, place.position)
        }
    }

    mutating func finish(checkpoint: UInt64) throws {
        writeUnclaimed()
        batch.putNumber(IndexKeys.checkpoint, checkpoint)
        batch.put(IndexKeys.totals, totals.encoded())
        batch.put(IndexKeys.counts, counts.encoded())
        for (bucket, totals) in buckets { batch.put(IndexKeys.bucketTotals(bucket), totals.encoded()) }
        for (segment, totals) in segments { batch.put(IndexKeys.segmentTotals(segment), totals.encoded()) }
    }

    // MARK: - Segments

    /// Counts a record that was met.
    mutating func meet(_ place: RecordPlace, _ kind: RecordKind) {
        guard place.size > 0 else { return }
        segments[place.segment, default: index.segmentTotals(of: place.segment) ?? .init()].add(place.size, kind)
        if kind == .content || kind == .garbage { totals.meet(record: place.size) }
    }

    /// A record that was in force has become garbage.
    mutating func retire(_ place: RecordPlace) {
        guard place.size > 0, var totals = segments[place.segment] ?? index.segmentTotals(of: place.segment) else {
            return
        }
        totals.retire(place.size)
        segments[place.segment] = totals
    }

    // MARK: - Hints, doubt

    private mutating func apply(hint id: UInt64, _ hint: [UInt8], _ place: RecordPlace) throws {
        guard try hintSize(id) == nil else { return }
        meet(place, .hint)
        counts.hints += 1
        hints[id] = .some(place.size)
        var value: [UInt8] = []
        value.reserveCapacity(4 + hint.count)
        value.appendNumber(place.size)
        batch.put(IndexKeys.hint(id), value + hint)
    }

    private mutating func forget(hint id: UInt64) throws {
        guard let size = try hintSize(id) else { return }
        retire(RecordPlace(position: id, size: size))
        counts.hints -= 1
        hints[id] = .some(nil)
        batch.delete(IndexKeys.hint(id))
    }

    /// Bytes of its record; nil: there is none.
    private func hintSize(_ id: UInt64) throws -> UInt32? {
        if let known = hints[id] { return known }
        return try index.database.get(IndexKeys.hint(id)) { value -> UInt32? in
            var reader = ByteReader(value)
            return reader.number()
        }.flatMap(\.self)
    }

    private mutating func changeDoubts(_ body: (inout SlotDoubts) -> Void) {
        var changed = doubts ?? index.slotDoubts
        body(&changed)
        doubts = changed
        batch.put(IndexKeys.doubt, changed.encoded())
    }
}

extension DatabaseBatch {
    func putNumber(_ key: [UInt8], _ number: UInt64) {
        var bytes: [UInt8] = []
        bytes.appendNumber(number)
        put(key, bytes)
    }
}
