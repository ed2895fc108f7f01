import MetadataIndex
import Model

/// A readable record of the segment that is being compacted.
struct CompactedRecord: Sendable {
    /// Raw position in the log.
    var position: UInt64
    var head: RecordHead
    /// False: the payload is not what was written.
    var payloadIntact = true
}

/// What the verdict depends on: the index, and which segments there are besides the one that is being compacted.
protocol CompactionKnowledge {
    func register(_ name: RegisterName) throws -> IndexedRegister?
    func blob(_ key: BlobKey) throws -> BlobLocation?
    func droppedMarker(of key: BlobKey) throws -> DroppedMarker?
    func hasHint(_ id: UInt64) throws -> Bool
    /// What remains of a key whose tombstone was purged.
    func purgedMarker(of name: RegisterName) throws -> PurgedMarker?
    var ceiling: UInt64 { get }
    var floor: IndexFloor { get }
    /// Before which raw position nothing of a slot can be trusted; 0: everything can.
    func doubt(ofSlot slot: Int) -> UInt64
    /// Whether what stands at a raw position went to another disk with its slot, or away from the node with its partition.
    func hasLeft(key: [UInt8], position: UInt64) -> Bool
    var otherSegments: Set<UInt32> { get }
}

/// What compaction does with one record. Pure.
///
/// The rule behind all of them: a record may go when the index is right without it, today and after it was made anew from
/// the segments that are left. That the index does not know a key is no reason to drop what the log has of it.
enum CompactionVerdict: Equatable, Sendable {
    /// Appended again, unchanged.
    case move
    case garbage
    /// In force and older than the doubt of its slot. A copy would look newer than the doubt, so it stays until the doubt
    /// is settled.
    case doubtful
    /// In force, and its content cannot be read: it stays until another replica has healed it.
    case damaged(BlobKey, RegisterName?)
    /// Noted anew, and the old one forgotten.
    case renewHint([UInt8])
    /// The drop is still needed: copies of the chunks may stand up to the watermark.
    case keepDrop(BlobID, [UInt32], watermark: UInt64)
    case keepForgotten([UInt64])
    /// The purge is still needed: older records of the keys may stand up to the watermark.
    case keepPurge([PurgedRegister], watermark: UInt64)

    static func of(_ record: CompactedRecord, _ known: some CompactionKnowledge) throws -> CompactionVerdict {
        if let key = record.head.placeKey, known.hasLeft(key: key, position: record.position) { return .garbage }
        return try judge(record, known)
    }

    private static func judge(
        _ record: CompactedRecord, _ known: some CompactionKnowledge
    ) throws -> CompactionVerdict {
        switch record.head {
        case .register(let name, let value): try register(name, value, record, known)
        case .blob(let id, let owner): try blob(BlobKey(id), owner, record, known)
        case .chunk(let name, let owner, _): try chunk(BlobKey(name), owner, record, known)
        case .ceiling(let counter): counter < known.ceiling ? .garbage : .move
        case .hint(let hint): try known.hasHint(record.position) ? .renewHint(hint) : .garbage
        case .forgetHints(let ids): forgotten(ids, known)
        case .doubt(_, let slots): slots.slots.contains { known.doubt(ofSlot: $0) != 0 } ? .move : .garbage
        // Copies of the doubt that it settles may stand anywhere.
        case .trust: .move
        // Nothing that stood before the position is left to be revived.
        case .leftSlots(let before, _), .leftPartitions(let before, _, _):
            known.otherSegments.contains { $0 <= UInt32(truncatingIfNeeded: before >> 32) } ? .move : .garbage
        case .dropChunks(let blob, let indexes, let watermark):
            try drop(blob, indexes, watermark == 0 ? record.position : watermark, known)
        case .floor(let floor): floor != known.floor && known.floor.covers(floor) ? .garbage : .move
        case .purge(let purged, let watermark):
            try purge(purged, watermark == 0 ? record.position : watermark, known)
        }
    }

    private static func register(
        _ name: RegisterName, _ value: RegisterValue, _ record: CompactedRecord, _ known: some CompactionKnowledge
    ) throws -> CompactionVerdict {
        if let found = try known.register(name), found.position != record.position, value.tag <= found.value.tag {
            return .garbage
        }
        if try isPurged(PurgedRegister(name: name, tag: value.tag), known) { return .garbage }
        return record.position < known.doubt(ofSlot: SlotSet.slot(ofKey: name.indexKey)) ? .doubtful : .move
    }

    private static func blob(
        _ key: BlobKey, _ owner: BlobOwner, _ record: CompactedRecord, _ known: some CompactionKnowledge
    ) throws -> CompactionVerdict {
        if let location = try known.blob(key) { return content(key, location, owner.name, record) }
        // A blob is needed by the state for which it was brought, and by none that followed without it.
        if let state = try known.register(owner.name)?.value, owner.tag < state.tag, !state.blobs.contains(key.blob) {
            return .garbage
        }
        if try isPurged(PurgedRegister(name: owner.name, tag: owner.tag), known) { return .garbage }
        return record.payloadIntact ? .move : .garbage
    }

    private static func isPurged(_ owner: PurgedRegister, _ known: some CompactionKnowledge) throws -> Bool {
        try known.purgedMarker(of: owner.name).map { owner.tag <= $0.tag } ?? false
    }

    private static func chunk(
        _ key: BlobKey, _ owner: RegisterName?, _ record: CompactedRecord, _ known: some CompactionKnowledge
    ) throws -> CompactionVerdict {
        if let location = try known.blob(key) { return content(key, location, owner, record) }
        if try known.droppedMarker(of: key) != nil { return .garbage }
        return record.payloadIntact ? .move : .garbage
    }

    /// The index has a copy.
    private static func content(
        _ key: BlobKey, _ location: BlobLocation, _ owner: RegisterName?, _ record: CompactedRecord
    ) -> CompactionVerdict {
        if location.position == record.position { return record.payloadIntact ? .move : .damaged(key, owner) }
        return location.isDamaged && record.payloadIntact ? .move : .garbage
    }

    private static func forgotten(_ ids: [UInt64], _ known: some CompactionKnowledge) -> CompactionVerdict {
        let needed = ids.filter { known.otherSegments.contains(UInt32(truncatingIfNeeded: $0 >> 32)) }
        return needed.isEmpty ? .garbage : .keepForgotten(needed)
    }

    private static func drop(
        _ blob: BlobID, _ indexes: [UInt32], _ watermark: UInt64, _ known: some CompactionKnowledge
    ) throws -> CompactionVerdict {
        var last = watermark
        for index in indexes {
            let marker = try known.droppedMarker(of: BlobKey(ChunkName(blob: blob, index: index)))
            last = max(last, marker?.watermark ?? 0)
        }
        let lastSegment = UInt32(truncatingIfNeeded: last >> 32)
        guard known.otherSegments.contains(where: { $0 <= lastSegment }) else { return .garbage }
        return .keepDrop(blob, indexes, watermark: last)
    }

    private static func purge(
        _ purged: [PurgedRegister], _ watermark: UInt64, _ known: some CompactionKnowledge
    ) throws -> CompactionVerdict {
        var last = watermark
        for item in purged { last = max(last, try known.purgedMarker(of: item.name)?.watermark ?? 0) }
        let lastSegment = UInt32(truncatingIfNeeded: last >> 32)
        guard known.otherSegments.contains(where: { $0 <= lastSegment }) else { return .garbage }
        return .keepPurge(purged, watermark: last)
    }
}

extension RecordHead {
    /// The register that it is, or beside which it stands, with the tag for which it came; nil: it is neither.
    var owner: PurgedRegister? {
        switch self {
        case .register(let name, let value): PurgedRegister(name: name, tag: value.tag)
        case .blob(_, let owner): PurgedRegister(name: owner.name, tag: owner.tag)
        default: nil
        }
    }

    /// The key that tells slot and partition; nil: the record has none, or several.
    var placeKey: [UInt8]? {
        switch self {
        case .register(let name, _): name.indexKey
        case .blob(_, let owner): owner.name.indexKey
        case .chunk(let name, _, _): name.ringKey
        default: nil
        }
    }
}
