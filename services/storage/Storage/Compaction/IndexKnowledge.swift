import MetadataIndex
import Model

/// The index of a disk as compaction asks it.
struct IndexKnowledge: CompactionKnowledge {
    let index: MetadataIndex
    let otherSegments: Set<UInt32>

    func register(_ name: RegisterName) throws -> IndexedRegister? { try index.register(name) }
    func blob(_ key: BlobKey) throws -> BlobLocation? { try index.blob(key) }
    func droppedMarker(of key: BlobKey) throws -> DroppedMarker? { try index.droppedMarker(of: key) }
    func hasHint(_ id: UInt64) throws -> Bool {
        try index.hints(after: id == 0 ? 0 : id - 1, limit: 1).first?.id == id
    }
    func purgedMarker(of name: RegisterName) throws -> PurgedMarker? {
        index.purgedCount == 0 ? nil : try index.purgedMarker(of: name)
    }
    var ceiling: UInt64 { index.ceiling }
    var floor: IndexFloor { index.floor }
    func hasLeft(key: [UInt8], position: UInt64) -> Bool { index.hasLeft(key: key, position: position) }
    func doubt(ofSlot slot: Int) -> UInt64 { index.doubt(ofSlot: slot) }
}
