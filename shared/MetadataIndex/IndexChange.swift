import Model

/// What a record of the log means for the index.
///
/// Compaction writes records again, unchanged, behind everything else, and then removes the old ones. So what the index
/// has must not depend on where in the log the copies of a record stand: every change says itself what it competes with.
public enum IndexChange: Sendable {
    case register(RegisterName, IndexedRegister)
    /// A chunk, or a blob beside the register that owns it.
    case blob(BlobKey, BlobLocation, owner: BlobOwner? = nil)
    /// These chunks of a blob are gone for good. `watermark`: no copy of them stands behind it; 0: behind this record.
    case dropChunks(BlobID, [UInt32], watermark: UInt64, RecordPlace = .unknown)
    /// The id is the raw position of the hint's record, `recordSize` what it takes there.
    case hint(id: UInt64, [UInt8], recordSize: UInt32 = 0)
    case forgetHints([UInt64], RecordPlace = .unknown)
    case ceiling(UInt64, RecordPlace = .unknown)
    /// Something of these slots before this position of the log was lost and nobody knows what: older entries cannot be
    /// trusted.
    case doubt(before: UInt64, slots: SlotSet, RecordPlace = .unknown)
    /// Doubt of these slots up to this position is settled.
    case trust(before: UInt64, slots: SlotSet, RecordPlace = .unknown)
    /// These slots went to another disk: their records before this position count for nothing.
    case leftSlots(before: UInt64, slots: SlotSet, RecordPlace = .unknown)
    /// The ring took these partitions away from the node: their records before this position count for nothing.
    case leftPartitions(before: UInt64, PartitionCut, [UInt32], RecordPlace = .unknown)
    /// Tombstones up to here may have been purged.
    case floor(IndexFloor, RecordPlace = .unknown)
    /// These tombstones are gone for good. `watermark`: no older record of their keys stands behind it; 0: behind this
    /// record.
    case purge([PurgedRegister], watermark: UInt64, RecordPlace = .unknown)
    /// The content was found unreadable. It is not in the log; an intact copy that is appended later undoes it.
    /// `owner`: the register beside which it stands, when it is known.
    case damaged(BlobKey, owner: RegisterName? = nil)
}

/// The register beside which a blob is stored, and the tag of the state for which it was brought.
public struct BlobOwner: Sendable, Equatable {
    public var name: RegisterName
    public var tag: Ballot

    public init(name: RegisterName, tag: Ballot) {
        self.name = name
        self.tag = tag
    }
}

/// Where a record stands and the bytes that it takes.
public struct RecordPlace: Sendable, Equatable {
    /// Raw position in the log.
    public var position: UInt64
    public var size: UInt32

    public init(position: UInt64, size: UInt32) {
        self.position = position
        self.size = size
    }

    /// For changes that stand in no record.
    public static let unknown = RecordPlace(position: 0, size: 0)

    var segment: UInt32 { UInt32(truncatingIfNeeded: position >> 32) }
}

/// What a batch of changes did: what digests need to know.
public struct AppliedChanges: Sendable, Equatable {
    public struct Transition: Sendable, Equatable {
        public var name: RegisterName
        /// nil: it is new.
        public var old: Ballot?
        /// nil: it is gone.
        public var new: Ballot?
    }

    public var registers: [Transition] = []
    /// New ones.
    public var chunks: [ChunkName] = []
    /// Those that were here.
    public var droppedChunks: [ChunkName] = []
    public init() {}
}
