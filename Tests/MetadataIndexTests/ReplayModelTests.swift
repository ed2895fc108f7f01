import Model
import Testing

@testable import MetadataIndex

/// The log in any state that compaction leaves gives the same index, from scratch and from a checkpoint.
@Suite struct ReplayModelTests {
    @Test("Whatever compaction has moved and removed, the log gives the index that requests and model agree on")
    func histories() throws {
        for seed in UInt64(1)...12 {
            var history = try IndexHistory(seed: seed)
            try history.run(steps: 500)
            try history.takeCheckpoint()
            try history.run(steps: 200)
            try check(history, seed)
        }
    }

    private func check(_ history: IndexHistory, _ seed: UInt64) throws {
        let segments = history.log.segments
        let live = try IndexContent(history.index, segments: segments)
        #expect(live.registers.mapValues(\.value) == history.registers, "seed \(seed)")
        #expect(Set(live.blobs.keys.filter { $0.index == nil }.map(\.blob)) == history.liveBlobs, "seed \(seed)")
        let chunks = live.blobs.keys.compactMap { key in key.index.map { ChunkName(blob: key.blob, index: $0) } }
        #expect(Set(chunks) == history.chunks, "seed \(seed)")
        #expect(history.hints.isSubset(of: live.hints.values), "seed \(seed)")
        #expect(history.hints.union(history.forgottenHints).isSuperset(of: live.hints.values), "seed \(seed)")
        #expect(live.ceiling == history.ceiling, "seed \(seed)")
        #expect(live.floor == history.floor, "seed \(seed)")
        #expect(!history.purged.isEmpty, "seed \(seed)")
        #expect(live.totals == live.recount(history.log), "seed \(seed)")

        let scratch = try IndexFixture()
        try replay(history, into: scratch.index)
        expectEqual(try IndexContent(scratch.index, segments: segments), live, "from scratch, seed \(seed)")

        let flushed = try #require(history.flushed)
        for segment in flushed.segmentTotals.keys where !segments.contains(segment) {
            try flushed.removeSegmentTotals(segment)
        }
        try replay(history, into: flushed)
        expectEqual(try IndexContent(flushed, segments: segments), live, "from the checkpoint, seed \(seed)")
    }

    private func replay(_ history: IndexHistory, into index: MetadataIndex) throws {
        var random = history.random
        var records = history.log.records.filter { $0.position >= index.checkpoint }[...]
        while !records.isEmpty {
            let batch = records.prefix(Int.random(in: 1...50, using: &random))
            records = records.dropFirst(batch.count)
            try index.apply(batch.map(\.change), checkpoint: batch.last!.end)
        }
    }

    private func expectEqual(_ a: IndexContent, _ b: IndexContent, _ comment: Comment) {
        #expect(a.registers == b.registers, comment)
        #expect(a.blobs == b.blobs, comment)
        #expect(a.dropped == b.dropped, comment)
        #expect(a.purged == b.purged, comment)
        #expect(a.floor == b.floor, comment)
        #expect(a.unclaimed == b.unclaimed, comment)
        #expect(a.hints == b.hints, comment)
        #expect(a.ceiling == b.ceiling, comment)
        #expect(a.totals == b.totals, comment)
        #expect(a.buckets == b.buckets, comment)
        #expect(a.segmentTotals == b.segmentTotals, comment)
        #expect(a.counts == b.counts, comment)
    }
}

/// Everything that an index has, but for releases: what has been overwritten may be gone from the log.
struct IndexContent {
    var registers: [RegisterName: IndexedRegister] = [:]
    var blobs: [BlobKey: BlobLocation] = [:]
    /// Positions of the records that say so, in segments that are there.
    var dropped: [BlobKey: UInt64] = [:]
    /// The same of purged registers.
    var purged: [RegisterName: UInt64] = [:]
    var floor: IndexFloor
    var unclaimed: Set<[UInt8]> = []
    var hints: [UInt64: [UInt8]] = [:]
    var ceiling: UInt64
    var totals: StorageTotals
    var buckets: [BucketID: BucketTotals]
    var segmentTotals: [UInt32: SegmentTotals]
    var counts: [Int64]

    init(_ index: MetadataIndex, segments: Set<UInt32>) throws {
        ceiling = index.ceiling
        floor = index.floor
        totals = index.totals
        buckets = try index.allBucketTotals()
        segmentTotals = index.segmentTotals
        let stored = try index.database.get(IndexKeys.counts) { EntryCounts(decoding: $0) }.flatMap { $0 } ?? .init()
        counts = [stored.hints, stored.unclaimed]
        for hint in try index.hints(after: 0, limit: .max) { hints[hint.id] = hint.hint }
        try index.database.scan(from: [IndexKeys.unclaimed], below: [IndexKeys.unclaimed + 1]) { step in
            unclaimed.insert(Array(step.key))
            return .next
        }
        try index.database.scan(from: [IndexKeys.purgedRegisters], below: [IndexKeys.purgedRegisters + 1]) { step in
            let position = PurgedMarker(decoding: step.value)!.position
            guard segments.contains(UInt32(position >> 32)) else { return .next }
            purged[RegisterName(indexKey: step.key.dropFirst())!] = position
            return .next
        }
        try index.database.scan(from: [IndexKeys.registers], below: [IndexKeys.registers + 1]) { step in
            registers[RegisterName(indexKey: step.key.dropFirst())!] = IndexedRegister(decoding: step.value)!
            return .next
        }
        try index.database.scan(from: [IndexKeys.blobs], below: [IndexKeys.blobs + 1]) { step in
            let key = BlobKey(step.key.dropFirst())!
            switch BlobEntry(decoding: step.value)! {
            case .stored(let location): blobs[key] = location
            case .dropped(let marker):
                if segments.contains(UInt32(marker.position >> 32)) { dropped[key] = marker.position }
            }
            return .next
        }
    }

    /// The totals, counted one by one.
    func recount(_ log: LogModel) -> StorageTotals {
        var totals = StorageTotals()
        for size in registers.values.map(\.recordSize) + blobs.values.map(\.recordSize) {
            totals.activate(record: size)
        }
        totals.tombstones = UInt64(registers.values.count { $0.value.isTombstone })
        for record in log.records {
            switch record.content {
            case .register, .blob, .chunk: totals.meet(record: record.size)
            default: break
            }
        }
        return totals
    }
}
