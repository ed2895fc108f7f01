import MetadataIndex
import Model

/// What has changed in some slots since somebody began to copy them.
struct SlotChanges: Sendable {
    /// Beyond it the copying begins again: that is cheaper than to remember more.
    static let countMax = 100_000

    let slots: SlotSet
    private(set) var registers: Set<RegisterName> = []
    private(set) var chunks: Set<ChunkName> = []
    private(set) var isOverflowing = false

    init(slots: SlotSet) { self.slots = slots }

    var count: Int { registers.count + chunks.count }

    /// To be called with every change that the index has taken.
    mutating func note(_ change: IndexChange) {
        switch change {
        case .register(let name, _): note(name)
        case .blob(let key, _, let owner):
            if let index = key.index {
                note(ChunkName(blob: key.blob, index: index))
            } else if let owner {
                note(owner.name)
            }
        case .dropChunks(let blob, let indexes, _, _):
            for index in indexes { note(ChunkName(blob: blob, index: index)) }
        case .purge(let purged, _, _): for item in purged { note(item.name) }
        default: break
        }
    }

    private mutating func note(_ name: RegisterName) {
        if slots.contains(SlotSet.slot(ofKey: name.indexKey)), hasRoom() { registers.insert(name) }
    }

    private mutating func note(_ chunk: ChunkName) {
        if slots.contains(SlotSet.slot(ofKey: chunk.ringKey)), hasRoom() { chunks.insert(chunk) }
    }

    private mutating func hasRoom() -> Bool {
        if count >= Self.countMax { isOverflowing = true }
        return !isOverflowing
    }
}
