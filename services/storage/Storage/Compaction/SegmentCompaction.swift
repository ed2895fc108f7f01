import Logging
import MetadataIndex
import Model
import NIOCore
import ObjectLog

/// Empties one sealed segment and removes it.
///
/// Records in force are appended again behind everything else, unchanged; the index goes over to the copies when they are
/// durable, and makes sure of it whatever comes in between. So a crash at any moment leaves either the segment or a
/// removed one, and every record in force at least once. The segment goes when no byte in force is left in it and the
/// index has flushed that.
struct SegmentCompaction {
    enum Outcome: Equatable, Sendable {
        /// Bytes that the disk got back.
        case removed(freed: Int)
        /// Records in it are older than the doubt of their slots.
        case doubtful
        /// So many records in it cannot be read, and nothing else has them here.
        case damaged(Int)
        /// Something in force is left that nobody can explain.
        case held
    }

    /// Entries of unreadable stretches that are looked at in one go.
    private static let entriesMax = 10_000

    let disk: DiskReplica
    let segment: SegmentInfo
    /// Called before bytes are read or appended; may wait, or throw to end the compaction.
    let pace: (Int) throws -> Void
    let window: MoveWindow

    private let known: IndexKnowledge
    private var isDoubtful = false
    private var damaged: [DamagedRecord] = []
    private var unreadable: [Range<LogPosition>] = []
    /// Chunks whose last drop record is in this segment and no longer needed.
    private var settledDrops: [BlobKey] = []
    /// Keys whose last purge record is in this segment and no longer needed.
    private var settledPurges: [RegisterName] = []
    private(set) var movedBytes: UInt64 = 0

    init(
        _ segment: SegmentInfo, of disk: DiskReplica, window: MoveWindow,
        pace: @escaping (Int) throws -> Void = { _ in }
    ) {
        self.disk = disk
        self.segment = segment
        self.window = window
        self.pace = pace
        known = IndexKnowledge(
            index: disk.index,
            otherSegments: Set(disk.log.segments.map(\.number)).subtracting([segment.number]))
    }

    mutating func run() throws -> Outcome {
        do { try moveRecords() } catch {
            try? window.drain()
            throw error
        }
        try window.drain()
        if isDoubtful { return .doubtful }
        // Entries of slots that went to another disk are still being taken out of the index.
        if disk.index.hasLeft, try !unreadable.isEmpty || countLive() > 0 { return .held }
        if !unreadable.isEmpty { try rescueUnreadable() }
        if try countLive() > 0 { try rescueLeft() }
        if isDoubtful { return .doubtful }
        if !damaged.isEmpty { return try noteDamage() }
        guard try countLive() == 0 else { return .held }
        return try remove()
    }

    // MARK: - Records

    private mutating func moveRecords() throws {
        let reader = try disk.log.reader(of: segment.number)
        while !isDoubtful, let item = try reader.next() {
            switch item {
            case .record(let record):
                try pace(record.recordSize)
                try settle(record.entry, at: record.position, payloadIntact: record.payloadIntact)
            case .damage(let damage) where damage.isOwn: break
            case .damage(let damage):
                disk.logger.error(
                    "damage met by compaction",
                    metadata: ["disk": "\(disk.path)", "from": "\(damage.range.lowerBound)"])
                try settle(damage)
            }
        }
    }

    private mutating func settle(_ damage: SegmentDamage) throws {
        guard let known = damage.known else { return unreadable.append(damage.range) }
        let payload = known.payloadLength == 0 ? ByteBuffer() : known.payload
        let entry = LogEntry(
            type: known.type, head: known.head, payload: payload ?? ByteBuffer(),
            payloadChecksum: known.payloadChecksum)
        try settle(entry, at: damage.range.lowerBound, payloadIntact: payload != nil)
    }

    private mutating func settle(_ entry: LogEntry, at position: LogPosition, payloadIntact: Bool) throws {
        guard let head = RecordHead(type: entry.type, head: entry.head) else {
            throw StorageError.unavailable("record of unknown type \(entry.type) at \(position)")
        }
        let record = CompactedRecord(position: position.rawValue, head: head, payloadIntact: payloadIntact)
        switch try CompactionVerdict.of(record, known) {
        case .move:
            try move(
                [entry], of: head.placeKey.map { CopiedRecord(key: $0, position: record.position, owner: head.owner) })
        case .garbage: try discard(record)
        case .doubtful: isDoubtful = true
        case .damaged(let key, let owner):
            damaged.append(.content(key, at: record.position, owner: owner))
        case .renewHint(let hint): try move([.hint(hint), .forgetHints([record.position])])
        case .keepDrop(let blob, let indexes, let watermark):
            try move([.dropChunks(blob, indexes, watermark: watermark)])
        case .keepForgotten(let ids): try move([.forgetHints(ids)])
        case .keepPurge(let purged, let watermark): try move([.purge(purged, watermark: watermark)])
        }
    }

    private mutating func discard(_ record: CompactedRecord) throws {
        switch record.head {
        case .dropChunks(let blob, let indexes, _):
            for index in indexes {
                let key = BlobKey(ChunkName(blob: blob, index: index))
                if try disk.index.droppedMarker(of: key)?.position == record.position { settledDrops.append(key) }
            }
        case .purge(let purged, _):
            for item in purged where try disk.index.purgedMarker(of: item.name)?.position == record.position {
                settledPurges.append(item.name)
            }
        default: break
        }
    }

    /// `source`: nil for records without a slot.
    private mutating func move(_ entries: [LogEntry], of source: CopiedRecord? = nil) throws {
        let bytes = entries.reduce(0) { $0 + $1.recordSize }
        try pace(bytes)
        let isFull = try window.enter(bytes)
        do {
            try disk.appendCopies(entries, of: source, urgency: isFull ? .now : .lazy) { [window] in
                window.leave(bytes, $0)
            }
        } catch StorageError.moved {
            // What the slot has here becomes garbage when the disk says that it has left; what was purged is already.
            return window.leave(bytes, nil)
        } catch StorageError.abstained {
            isDoubtful = true
            return window.leave(bytes, nil)
        } catch {
            window.leave(bytes, nil)
            throw error
        }
        movedBytes += UInt64(bytes)
        disk.metrics.compactionMoved(bytes)
    }

    // MARK: - What cannot be read

    /// Nobody knows what stood in these stretches but the index. It has whole registers; content it has not.
    private mutating func rescueUnreadable() throws {
        for range in unreadable { try rescue(range.lowerBound.rawValue..<range.upperBound.rawValue) }
        if disk.index.ceiling > 0 { try move([.ceiling(disk.index.ceiling)]) }
        if disk.index.floor != IndexFloor() { try move([.floor(disk.index.floor)]) }
        for (slots, before) in disk.index.doubts {
            try move([.doubt(before: LogPosition(rawValue: before), slots: slots)])
        }
        try window.drain()
    }

    /// Entries that point into the segment although nothing that was read there is in force any more.
    private mutating func rescueLeft() throws {
        let start = UInt64(segment.number) << 32
        let all = start..<start + (1 << 32)
        damaged = []
        try rescue(all)
        for (id, hint) in try disk.index.hints(after: start - 1, limit: Self.entriesMax) where all.contains(id) {
            try move([.hint(hint), .forgetHints([id])])
        }
        try window.drain()
    }

    private mutating func rescue(_ positions: Range<UInt64>) throws {
        for entry in try disk.index.entries(in: positions, limit: Self.entriesMax) {
            switch entry {
            case .register(let name, let register):
                let slot = SlotSet.slot(ofKey: name.indexKey)
                if register.position < disk.index.doubt(ofSlot: slot) {
                    isDoubtful = true
                } else {
                    let owner = PurgedRegister(name: name, tag: register.value.tag)
                    try move(
                        [.register(name, register.value)],
                        of: CopiedRecord(key: name.indexKey, position: register.position, owner: owner))
                }
            case .blob(let key, let location): try rescue(key, location)
            }
        }
    }

    /// Only what was read and found wanting counts as damaged.
    private mutating func rescue(_ key: BlobKey, _ location: BlobLocation) throws {
        let position = LogPosition(rawValue: location.position)
        do {
            let record = try disk.log.readPatiently(at: position, size: Int(location.recordSize))
            let entry = LogEntry(
                type: record.type, head: record.head, payload: record.payload,
                payloadChecksum: record.payloadChecksum)
            try settle(entry, at: position, payloadIntact: true)
        } catch let error as ObjectLogError {
            guard error.meansDamage else { throw error }
            damaged.append(.content(key, at: location.position))
        }
    }

    /// A disk that is gone as a whole gives errors too. Content counts as damaged only when the disk still takes a write.
    private mutating func noteDamage() throws -> Outcome {
        try move([.ceiling(disk.index.ceiling)])
        try window.drain()
        for record in damaged { disk.noteDamage(record) }
        return .damaged(damaged.count)
    }

    // MARK: - The end

    private func countLive() throws -> UInt64 { disk.index.segmentTotals(of: segment.number)?.liveRecords ?? 0 }

    private func remove() throws -> Outcome {
        try disk.index.flush()
        let flushed = LogPosition(rawValue: disk.index.flushedCheckpoint)
        guard flushed.segment > segment.number, try countLive() == 0 else { return .held }
        try disk.log.remove(segment: segment.number)
        try disk.index.removeSegmentTotals(segment.number)
        if !settledDrops.isEmpty { try disk.index.forgetDropped(settledDrops) }
        if !settledPurges.isEmpty { try disk.index.forgetPurged(settledPurges) }
        return .removed(freed: segment.capacity)
    }
}
