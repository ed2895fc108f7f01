import MetadataIndex
import Model
import Register
import Testing

@testable import Storage

/// An index by value.
private struct FakeKnowledge: CompactionKnowledge {
    var registers: [RegisterName: IndexedRegister] = [:]
    var blobs: [BlobKey: BlobLocation] = [:]
    var markers: [BlobKey: DroppedMarker] = [:]
    var hints: Set<UInt64> = []
    var ceiling: UInt64 = 0
    var doubts: [Int: UInt64] = [:]
    var otherSegments: Set<UInt32> = [2, 9]

    func register(_ name: RegisterName) -> IndexedRegister? { registers[name] }
    func blob(_ key: BlobKey) -> BlobLocation? { blobs[key] }
    func droppedMarker(of key: BlobKey) -> DroppedMarker? { markers[key] }
    var left: [Int: UInt64] = [:]

    var purged: [RegisterName: PurgedMarker] = [:]
    var floor = IndexFloor()
    func purgedMarker(of name: RegisterName) throws -> PurgedMarker? { purged[name] }
    func hasLeft(key: [UInt8], position: UInt64) -> Bool {
        left[SlotSet.slot(ofKey: key)].map { position < $0 } ?? false
    }
    func hasHint(_ id: UInt64) -> Bool { hints.contains(id) }
    func doubt(ofSlot slot: Int) -> UInt64 { doubts[slot] ?? 0 }
}

@Suite struct CompactionVerdictTests {
    private var known = FakeKnowledge()
    /// In segment 5, which is being compacted.
    private let here: UInt64 = 5 << 32 | 64
    private let elsewhere: UInt64 = 9 << 32 | 64
    private let a = name("a")
    private let blob = BlobID(high: 1, low: 1)
    private let chunk = ChunkName(blob: BlobID(high: 2, low: 2), index: 3)

    private func verdict(_ head: RecordHead, intact: Bool = true) throws -> CompactionVerdict {
        try CompactionVerdict.of(CompactedRecord(position: here, head: head, payloadIntact: intact), known)
    }

    private func register(_ counter: UInt64, at position: UInt64, blobs: [BlobID] = []) -> IndexedRegister {
        IndexedRegister(
            value: RegisterValue(tag: ballot(counter), record: [1], blobs: blobs), position: position, recordSize: 100)
    }

    private func location(_ position: UInt64, damaged: Bool = false) -> BlobLocation {
        BlobLocation(position: position, recordSize: 100, size: 10, checksum: 0, isDamaged: damaged)
    }

    @Test("Records of a purged key are garbage up to the tag of its tombstone, others move")
    mutating func purged() throws {
        known.purged[a] = PurgedMarker(tag: ballot(7), position: elsewhere, watermark: here)
        #expect(try verdict(.register(a, register(7, at: here).value)) == .garbage)
        #expect(try verdict(.register(a, register(8, at: here).value)) == .move)
        #expect(try verdict(.blob(blob, BlobOwner(name: a, tag: ballot(6)))) == .garbage)
        #expect(try verdict(.blob(blob, BlobOwner(name: a, tag: ballot(8)))) == .move)
    }

    @Test("A purge stays while older records of its keys may be left, and knows the last place of any")
    mutating func purge() throws {
        let purged = [PurgedRegister(name: a, tag: ballot(7))]
        #expect(try verdict(.purge(purged, watermark: 0)) == .keepPurge(purged, watermark: here))
        known.otherSegments = [9]
        #expect(try verdict(.purge(purged, watermark: 0)) == .garbage)
        known.purged[a] = PurgedMarker(tag: ballot(7), position: here, watermark: elsewhere)
        #expect(try verdict(.purge(purged, watermark: 0)) == .keepPurge(purged, watermark: elsewhere))
    }

    @Test("The floor in force moves, a lower one is garbage")
    mutating func floor() throws {
        known.floor = IndexFloor(ballot: ballot(7), sequence: 5)
        #expect(try verdict(.floor(known.floor)) == .move)
        #expect(try verdict(.floor(IndexFloor(ballot: ballot(7), sequence: 4))) == .garbage)
        #expect(try verdict(.floor(IndexFloor(ballot: ballot(6), sequence: 9))) == .move)
    }

    @Test("A register in force moves, a superseded or copied one is garbage, an unknown or newer one moves")
    mutating func registers() throws {
        let record = RecordHead.register(a, RegisterValue(tag: ballot(5), record: [1]))
        #expect(try verdict(record) == .move)
        known.registers[a] = register(5, at: here)
        #expect(try verdict(record) == .move)
        known.registers[a] = register(5, at: elsewhere)
        #expect(try verdict(record) == .garbage)
        known.registers[a] = register(6, at: elsewhere)
        #expect(try verdict(record) == .garbage)
        known.registers[a] = register(4, at: elsewhere)
        #expect(try verdict(record) == .move)
    }

    @Test("A register older than the doubt of its slot stays, unless it is garbage")
    mutating func doubtful() throws {
        let record = RecordHead.register(a, RegisterValue(tag: ballot(5), record: [1]))
        let slot = SlotSet.slot(ofKey: a.indexKey)
        known.doubts[slot] = here + 1
        #expect(try verdict(record) == .doubtful)
        known.registers[a] = register(5, at: here)
        #expect(try verdict(record) == .doubtful)
        known.registers[a] = register(6, at: elsewhere)
        #expect(try verdict(record) == .garbage)
        known.registers[a] = register(5, at: here)
        known.doubts[slot] = here
        #expect(try verdict(record) == .move)
        known.doubts = [(slot + 1) % 256: here + 1]
        #expect(try verdict(record) == .move)
    }

    @Test("A blob goes only when the index has another copy or its register went on without it")
    mutating func blobs() throws {
        let record = RecordHead.blob(blob, BlobOwner(name: a, tag: ballot(5)))
        let key = BlobKey(blob)
        #expect(try verdict(record) == .move)
        known.registers[a] = register(5, at: elsewhere, blobs: [blob])
        #expect(try verdict(record) == .move)
        known.registers[a] = register(7, at: elsewhere, blobs: [blob])
        #expect(try verdict(record) == .move)
        known.registers[a] = register(4, at: elsewhere)
        #expect(try verdict(record) == .move)
        known.registers[a] = register(7, at: elsewhere)
        #expect(try verdict(record) == .garbage)
        known.blobs[key] = location(here)
        #expect(try verdict(record) == .move)
        known.blobs[key] = location(elsewhere)
        #expect(try verdict(record) == .garbage)
    }

    @Test("Content that cannot be read stays when it is in force; an intact copy replaces a damaged one")
    mutating func damaged() throws {
        let record = RecordHead.chunk(chunk, owner: a, writtenMilliseconds: 1)
        let key = BlobKey(chunk)
        known.blobs[key] = location(here)
        #expect(try verdict(record, intact: false) == .damaged(key, a))
        known.blobs[key] = location(elsewhere, damaged: true)
        #expect(try verdict(record) == .move)
        #expect(try verdict(record, intact: false) == .garbage)
    }

    @Test("A chunk that the index does not know moves, a dropped one does not")
    mutating func chunks() throws {
        let record = RecordHead.chunk(chunk, owner: nil, writtenMilliseconds: 1)
        #expect(try verdict(record) == .move)
        known.markers[BlobKey(chunk)] = DroppedMarker(position: elsewhere, watermark: elsewhere)
        #expect(try verdict(record) == .garbage)
    }

    @Test("A drop is kept while another segment may have a copy of its chunks")
    mutating func drops() throws {
        let record = RecordHead.dropChunks(chunk.blob, [3, 4], watermark: 0)
        #expect(try verdict(record) == .keepDrop(chunk.blob, [3, 4], watermark: here))
        known.otherSegments = [6, 9]
        #expect(try verdict(record) == .garbage)
        // A copy was made behind it.
        known.markers[BlobKey(ChunkName(blob: chunk.blob, index: 4))] = DroppedMarker(
            position: here, watermark: 7 << 32)
        #expect(try verdict(record) == .keepDrop(chunk.blob, [3, 4], watermark: 7 << 32))
        known.otherSegments = [9]
        #expect(try verdict(record) == .garbage)
        let copied = RecordHead.dropChunks(chunk.blob, [3], watermark: 9 << 32)
        #expect(try verdict(copied) == .keepDrop(chunk.blob, [3], watermark: 9 << 32))
    }

    @Test("What went to another disk with its slot is garbage, and the word of it stays while copies may be there")
    mutating func left() throws {
        let slot = SlotSet.slot(ofKey: a.indexKey)
        known.left[slot] = here + 1
        #expect(try verdict(.register(a, RegisterValue(tag: ballot(5), record: [1]))) == .garbage)
        #expect(try verdict(.blob(blob, BlobOwner(name: a, tag: ballot(5)))) == .garbage)
        known.left[slot] = here
        #expect(try verdict(.register(a, RegisterValue(tag: ballot(5), record: [1]))) == .move)
        #expect(try verdict(.leftSlots(before: 4 << 32, slots: SlotSet([slot]))) == .move)
        known.otherSegments = [6]
        #expect(try verdict(.leftSlots(before: 5 << 32, slots: SlotSet([slot]))) == .garbage)
    }

    @Test("Hints in force are noted anew; forgotten ones are remembered while their records may be there")
    mutating func hints() throws {
        #expect(try verdict(.hint([1, 2])) == .garbage)
        known.hints = [here]
        #expect(try verdict(.hint([1, 2])) == .renewHint([1, 2]))
        #expect(try verdict(.forgetHints([2 << 32 | 64, 3 << 32, here])) == .keepForgotten([2 << 32 | 64]))
        #expect(try verdict(.forgetHints([3 << 32, here])) == .garbage)
    }

    @Test("The ceiling in force and what is in doubt are kept, and every word of trust")
    mutating func control() throws {
        known.ceiling = 100
        #expect(try verdict(.ceiling(99)) == .garbage)
        #expect(try verdict(.ceiling(100)) == .move)
        let slots = SlotSet([1, 2])
        #expect(try verdict(.doubt(before: 9, slots: slots)) == .garbage)
        known.doubts[2] = 9
        #expect(try verdict(.doubt(before: 9, slots: slots)) == .move)
        #expect(try verdict(.trust(before: 9, slots: slots)) == .move)
    }
}
