import Foundation
import Model
import Testing

@testable import MetadataIndex

@Suite struct LeftSlotsTests {
    private let path = NSTemporaryDirectory() + "left-slots-" + UUID().uuidString
    private let memory = IndexMemory(limit: 8 << 20)
    private let size: UInt32 = 100

    private func name(_ number: Int) -> RegisterName {
        RegisterName(bucket: BucketID(high: 1, low: 1), key: Array("key \(number)".utf8))
    }

    private func slot(_ number: Int) -> Int { SlotSet.slot(ofKey: name(number).indexKey) }

    /// A register with content beside it, and a chunk.
    private func changes(_ number: Int, at position: UInt64) -> [IndexChange] {
        let tag = Ballot(counter: UInt64(number), writer: 1)
        let blob = BlobID(high: 2, low: UInt64(number))
        let value = RegisterValue(tag: tag, sequence: 1, record: [1], blobs: [blob], contentSize: 7)
        return [
            .blob(
                BlobKey(blob), BlobLocation(position: position, recordSize: size, size: 1, checksum: 0),
                owner: BlobOwner(name: name(number), tag: tag)),
            .register(name(number), IndexedRegister(value: value, position: position + 1000, recordSize: size)),
            .blob(
                BlobKey(ChunkName(blob: blob, index: 0)),
                BlobLocation(position: position + 2000, recordSize: size, size: 1, checksum: 0)),
        ]
    }

    private func forgetAll(_ index: MetadataIndex) throws {
        var cursor: LeftCursor?
        repeat { cursor = try index.forgetLeft(after: cursor, limit: 7) } while cursor != nil
    }

    @Test(
        "What was left is taken out with its content and its counts; what came later stays; copies do not bring it back"
    )
    func leaving() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let index = try MetadataIndex(path: path, memory: memory)
        let left = SlotSet(0..<128)
        let numbers = 1...60
        for number in numbers { try index.apply(changes(number, at: UInt64(number) << 32), checkpoint: 1) }
        try index.apply([.leftSlots(before: 100 << 32, slots: left)], checkpoint: 2)
        let later = try #require(numbers.first { left.contains(slot($0)) })
        try index.apply(changes(later, at: 200 << 32), checkpoint: 3)
        #expect(index.hasLeft)
        try forgetAll(index)
        #expect(!index.hasLeft)
        // Copies of what was left come again.
        for number in numbers where number != later {
            let copies = changes(number, at: UInt64(number) << 32)
            try index.apply(copies, checkpoint: 4)
        }
        var (registers, content) = (0, 0)
        for number in numbers {
            let stays = !left.contains(slot(number)) || number == later
            #expect((try index.register(name(number)) != nil) == stays)
            #expect((try index.blob(BlobKey(BlobID(high: 2, low: UInt64(number)))) != nil) == stays)
            registers += stays ? 1 : 0
            content += stays ? 1 : 0
            let chunk = BlobKey(ChunkName(blob: BlobID(high: 2, low: UInt64(number)), index: 0))
            let chunkStays = !left.contains(SlotSet.slot(ofKey: chunk.bytes)) || number == later
            #expect((try index.blob(chunk) != nil) == chunkStays)
            content += chunkStays ? 1 : 0
        }
        #expect(index.totals.activeRecords == UInt64(registers + content))
        #expect(try index.bucketTotals(BucketID(high: 1, low: 1)).objects == UInt64(registers))
        #expect(try index.bucketTotals(BucketID(high: 1, low: 1)).bytes == UInt64(7 * registers))
        let key = name(later).indexKey
        #expect(index.hasLeft(key: key, position: 1) && !index.hasLeft(key: key, position: 100 << 32))
        let other = try #require(numbers.first { !left.contains(slot($0)) })
        #expect(!index.hasLeft(key: name(other).indexKey, position: 1))
    }

    @Test("Slots that were left are known after the index was closed, and what was not taken out yet is afterwards")
    func reopened() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        var index: MetadataIndex? = try MetadataIndex(path: path, memory: memory)
        for number in 1...40 { try index!.apply(changes(number, at: UInt64(number) << 32), checkpoint: 1) }
        try index!.apply([.leftSlots(before: 100 << 32, slots: .all)], checkpoint: 2)
        let cursor = try index!.forgetLeft(limit: 5)
        #expect(cursor != nil)
        try index!.flush()
        index = nil
        let again = try MetadataIndex(path: path, memory: memory)
        #expect(again.hasLeft)
        try forgetAll(again)
        #expect(!again.hasLeft && again.totals.activeRecords == 0)
        #expect(again.hasLeft(key: [0], position: 5))
    }

    private let cut = PartitionCut(hashKey: Array(0..<16), count: 8)!

    private func partition(_ number: Int) -> UInt32 { cut.partition(of: name(number).indexKey) }

    @Test("What a partition had is taken out with its content, its counts and its digest; what came later stays")
    func partitions() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        var index: MetadataIndex! = try MetadataIndex(path: path, memory: memory)
        let numbers = 1...60
        for number in numbers { try index.apply(changes(number, at: UInt64(number) << 32), checkpoint: 1) }
        try index.apply([.leftPartitions(before: 100 << 32, cut, [1, 2, 7])], checkpoint: 2)
        let later = try #require(numbers.first { partition($0) == 2 })
        try index.apply(changes(later, at: 200 << 32), checkpoint: 3)
        #expect(index.hasLeft && index.leavingPartitions == [1, 2, 7])
        try index.flush()
        index = nil
        index = try MetadataIndex(path: path, memory: memory)
        #expect(index.leavingPartitions == [1, 2, 7])
        var (cursor, gone) = (LeftCursor?.none, AppliedChanges())
        repeat {
            cursor = try index.forgetLeft(after: cursor, limit: 7) { applied in
                gone.registers += applied.registers
                gone.droppedChunks += applied.droppedChunks
            }
        } while cursor != nil
        #expect(!index.hasLeft && index.leavingPartitions.isEmpty)
        var (registers, content) = (0, 0)
        for number in numbers {
            let stays = ![1, 2, 7].contains(partition(number)) || number == later
            #expect((try index.register(name(number)) != nil) == stays)
            #expect(gone.registers.contains { $0.name == name(number) && $0.new == nil } != stays)
            let chunk = BlobKey(ChunkName(blob: BlobID(high: 2, low: UInt64(number)), index: 0))
            let chunkStays = ![1, 2, 7].contains(cut.partition(of: chunk.bytes)) || number == later
            #expect((try index.blob(chunk) != nil) == chunkStays)
            registers += stays ? 1 : 0
            content += (stays ? 1 : 0) + (chunkStays ? 1 : 0)
        }
        #expect(gone.registers.count == 60 - registers && index.totals.activeRecords == UInt64(registers + content))
        #expect(try index.bucketTotals(BucketID(high: 1, low: 1)).objects == UInt64(registers))
        // Copies of what was left come again.
        for number in numbers { try index.apply(changes(number, at: UInt64(number) << 32), checkpoint: 4) }
        #expect(index.totals.activeRecords == UInt64(registers + content))
    }
}
