import MetadataIndex
import Model
import ObjectLog

/// What a record of the log means now, by the index.
enum RecordStanding: String, Sendable, Equatable {
    /// The index names this copy.
    case live
    /// Replaced, dropped, or another copy counts.
    case garbage
    /// Of the node itself: ceilings, drops, forgotten hints, doubt, purges.
    case control
}

extension MetadataIndex {
    func standing(of head: RecordHead, at position: UInt64) throws -> RecordStanding {
        switch head {
        case .register(let name, _): try register(name)?.position == position ? .live : .garbage
        case .blob(let blob, _): try self.blob(BlobKey(blob))?.position == position ? .live : .garbage
        case .chunk(let chunk, _, _): try blob(BlobKey(chunk))?.position == position ? .live : .garbage
        case .hint:
            try position > 0 && hints(after: position - 1, limit: 1).first?.id == position ? .live : .garbage
        case .ceiling, .forgetHints, .doubt, .trust, .leftSlots, .leftPartitions, .dropChunks, .floor, .purge:
            .control
        }
    }
}

/// Compares what stands in one segment with what the index says of it.
struct SegmentCheck {
    let index: MetadataIndex
    private(set) var findings = ScrubFindings()
    /// Content in force whose bytes are wrong.
    private(set) var damaged: [DamagedRecord] = []
    /// Registers in force whose record is bad, with the position of the record.
    private(set) var registers: [(name: RegisterName, position: UInt64)] = []
    private var live: UInt64 = 0
    /// Stretches of which nobody knows what stood there.
    private var gaps = 0

    init(_ index: MetadataIndex) { self.index = index }

    /// Bytes that the item takes.
    mutating func take(_ item: SegmentItem) throws -> Int {
        switch item {
        case .damage(let damage):
            findings.bytes += damage.size
            try take(damage)
            return damage.size
        case .record(let record):
            findings.bytes += record.recordSize
            findings.records += 1
            try take(record)
            return record.recordSize
        }
    }

    private mutating func take(_ record: SegmentRecord) throws {
        guard let head = RecordHead(type: record.type, head: record.head) else { return }
        let position = record.position.rawValue
        guard try index.standing(of: head, at: position) == .live else {
            if !record.payloadIntact { findings.damagedGarbage += 1 }
            return
        }
        live += 1
        if !record.payloadIntact { noteDamage(of: head, at: position) }
    }

    /// The footer of a segment tells what stood where a header is bad.
    private mutating func take(_ damage: SegmentDamage) throws {
        guard !damage.isOwn else { return findings.damagedGarbage += 1 }
        guard let known = damage.known, let head = RecordHead(type: known.type, head: known.head) else {
            return gaps += 1
        }
        let position = damage.range.lowerBound.rawValue
        guard try index.standing(of: head, at: position) == .live else { return findings.damagedGarbage += 1 }
        live += 1
        noteDamage(of: head, at: position)
    }

    private mutating func noteDamage(of head: RecordHead, at position: UInt64) {
        switch head {
        case .register(let name, _): registers.append((name, position))
        case .blob(let blob, let owner): damaged.append(.content(BlobKey(blob), at: position, owner: owner.name))
        case .chunk(let chunk, let owner, _): damaged.append(.content(BlobKey(chunk), at: position, owner: owner))
        default: break
        }
    }

    /// Whether every entry of the index that points into the segment was met. Entries may leave meanwhile, none can come:
    /// so fewer records in force than the index counts means that some were not met.
    func metAll(of segment: UInt32) -> Bool { live >= index.segmentTotals(of: segment)?.liveRecords ?? 0 }

    /// Nothing in force was missed: the unreadable stretches are garbage.
    mutating func countGapsAsGarbage() { findings.damagedGarbage += gaps }
}

extension SegmentDamage {
    /// In bytes.
    var size: Int { Int(range.upperBound.offset) - Int(range.lowerBound.offset) }
}
