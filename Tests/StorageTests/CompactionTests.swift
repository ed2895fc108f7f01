import MetadataIndex
import Model
import NIOCore
import ObjectLog
import Register
import TestKit
import Testing
import Threads

@testable import Storage

@Suite struct CompactionTests {
    private let fixture: DiskFixture
    private var disk: DiskReplica { fixture.disk }

    init() throws { fixture = try DiskFixture() }

    private static let size = 600_000

    /// Content that tells the key and the counter.
    private func text(_ key: String, _ counter: UInt64) -> String {
        let line = "\(key) \(counter) "
        return String(repeating: line, count: Self.size / line.utf8.count)
    }

    private func put(_ key: String, _ counter: UInt64) throws {
        try fixture.put(name(key), counter, text(key, counter))
    }

    private func delete(_ key: String, _ counter: UInt64) throws {
        let result = try fixture.commit(name(key), .sample(counter, deleted: true))
        #expect(result.outcome == .accepted)
    }

    private func expect(_ key: String, _ counter: UInt64, sourceLocation: SourceLocation = #_sourceLocation) throws {
        let answer = try fixture.read(name(key))
        #expect(answer.state?.tag == ballot(counter), sourceLocation: sourceLocation)
        #expect(
            answer.blob?.content.bytes == ByteBuffer(string: text(key, counter)), "\(key)",
            sourceLocation: sourceLocation)
    }

    /// Compacts until nothing is worth it.
    @discardableResult
    private func compactAll() throws -> [SegmentCompaction.Outcome] {
        var outcomes: [SegmentCompaction.Outcome] = []
        while let outcome = try disk.compactor.compactOne(disk) { outcomes.append(outcome) }
        return outcomes
    }

    private var segments: [UInt32] { disk.log.segments.map(\.number) }

    @Test("What comes to be in doubt between verdict and copy is not copied behind the doubt")
    func doubtMeanwhile() throws {
        for number in UInt64(1)...30 { try put("key \(number)", number) }
        var isRead = false
        let segment = try #require(disk.settledSegments.first)
        // Called before a record is read, and before it is appended.
        var compaction = SegmentCompaction(segment, of: disk, window: MoveWindow(sizeMax: 1 << 20)) { [disk] bytes in
            guard bytes > Self.size, disk.index.doubts.isEmpty else { return }
            if isRead { try disk.distrust(SlotSet(0..<256)) }
            isRead = true
        }
        #expect(try compaction.run() == .doubtful)
        #expect(compaction.movedBytes < Self.size)
    }

    @Test("What was overwritten or deleted gives its space back; the rest is the same, with the index and without it")
    func freesGarbage() throws {
        for number in UInt64(1)...30 { try put("key \(number)", number) }
        for number in UInt64(1)...30 where number % 3 == 0 { try put("key \(number)", 100 + number) }
        for number in UInt64(1)...30 where number % 3 == 1 { try delete("key \(number)", 100 + number) }
        let before = disk.index.totals
        let outcomes = try compactAll()
        #expect(outcomes.count >= 5)
        for outcome in outcomes { #expect(outcome == .removed(freed: 4 << 20)) }
        let after = disk.index.totals
        #expect(after.activeRecords == before.activeRecords)
        #expect(after.activeBytes == before.activeBytes)
        #expect(after.tombstones == 10)
        #expect(after.totalBytes < before.totalBytes)
        #expect(Set(disk.index.segmentTotals.keys).isSubset(of: segments))
        for losingIndex in [false, true] {
            for number in UInt64(1)...30 {
                switch number % 3 {
                case 0: try expect("key \(number)", 100 + number)
                case 1: #expect(try fixture.read(name("key \(number)")).state == .sample(100 + number, deleted: true))
                default: try expect("key \(number)", number)
                }
            }
            try fixture.restart(losingIndex: losingIndex)
            #expect(disk.index.totals == after)
        }
    }

    @Test("Random writes with compaction in between: an index made anew from what is left says the same")
    func random() throws {
        for seed in UInt64(1)...6 {
            var generator = SeededGenerator(seed: seed)
            let fixture = try DiskFixture()
            let script = CompactionScript(fixture)
            for step in 1...4 {
                try script.write(requests: 40, &generator)
                while try fixture.disk.compactor.compactOne(fixture.disk) != nil {}
                try script.check("seed \(seed) step \(step)")
                try fixture.restart(losingIndex: step % 2 == 0)
                script.restarted()
                try script.check("seed \(seed) step \(step) restarted")
            }
        }
    }

    @Test("Overwrites and drops that race with compaction win")
    func races() throws {
        var counter: UInt64 = 0
        func overwrite() throws {
            for key in 0..<8 {
                counter += 1
                try put("key \(key)", counter)
            }
        }
        for _ in 0..<3 { try overwrite() }
        try whileCompacting { for _ in 0..<6 { try overwrite() } }
        try compactAll()
        for losingIndex in [false, true] {
            for key in UInt64(0)..<8 { try expect("key \(key)", counter - 7 + key) }
            try fixture.restart(losingIndex: losingIndex)
        }
        #expect(segments.count <= 4)
    }

    private func whileCompacting(_ body: () throws -> Void) throws {
        // The index is closed with the last owner of the disk.
        weak let disk = disk
        let isDone = Monitor(false)
        let thread = BlockingThread(name: "test") {
            while !isDone.withLock({ $0 }), let disk { _ = try? disk.compactor.compactOne(disk) }
        }
        defer {
            isDone.withLock { $0 = true }
            thread.join()
        }
        try body()
    }

    @Test("A full disk refuses content, takes deletions, is compacted by its reserve, and then takes content again")
    func fullDisk() throws {
        fixture.files.setCapacity(40 << 20)
        var counter: UInt64 = 0
        var failure: StorageError?
        while failure == nil, counter < 100 {
            counter += 1
            do { try put("key \(counter)", counter) } catch { failure = error as? StorageError }
        }
        #expect(failure == .diskFull)
        let last = counter - 1
        #expect(disk.log.isFull)
        try expect("key 1", 1)
        for number in 1...last where number % 2 == 0 { try delete("key \(number)", 1000 + number) }
        for number in [UInt64(1), 3] {
            // A round that only confirms the state adds nothing.
            let held = try #require(try fixture.read(name("key \(number)")).state)
            var confirmed = held
            confirmed.tag = ballot(2000 + number)
            #expect(try fixture.commit(name("key \(number)"), confirmed).outcome == .accepted)
        }
        let outcomes = try compactAll()
        #expect(!outcomes.isEmpty)
        for outcome in outcomes { #expect(outcome == .removed(freed: 4 << 20)) }
        try put("later", 5000)
        for number in 1...last where number % 2 == 1 && number > 3 { try expect("key \(number)", number) }
        try fixture.restart(losingIndex: true)
        try expect("later", 5000)
        for number in 1...last where number % 2 == 0 {
            #expect(try fixture.read(name("key \(number)")).state?.record?.isTombstone == true)
        }
    }

    @Test("Dropped chunks stay dropped when compaction has passed and the index is made anew")
    func drops() throws {
        let blob = BlobID(high: 7, low: 7)
        let content = BlobPayload(text("chunk", 1), id: 0).content
        func put(_ index: UInt32) throws -> Bool {
            try Pending.of { disk.putChunk(ChunkName(blob: blob, index: index), content, $0) }
        }
        for index in UInt32(0)..<14 { _ = try put(index) }
        #expect(try Pending.of { disk.dropChunks(blob, Array(0..<12), $0) } == 12)
        try self.put("a", 1)
        for _ in 0..<3 {
            try compactAll()
            try fixture.restart(losingIndex: true)
            let ceiling = disk.index.ceiling
            for index in UInt32(0)..<14 {
                let found = try disk.index.blob(BlobKey(ChunkName(blob: blob, index: index)))
                #expect((found != nil) == (index >= 12), "chunk \(index)")
            }
            // More to compact: the drop moves along, or is no longer needed.
            for number in UInt64(1)...12 { try self.put("a", ceiling + number) }
        }
    }

    @Test("Hints are noted anew, forgotten ones stay forgotten")
    func hints() throws {
        _ = try Pending.of { disk.noteHints([[1], [2], [3]], $0) }
        let ids = try disk.index.hints(after: 0, limit: 10).map(\.id)
        _ = try Pending.of { disk.forgetHints([ids[1]], $0) }
        for number in UInt64(1)...14 { try put("a", number) }
        try compactAll()
        #expect(segments.first != 1)
        for losingIndex in [false, true] {
            #expect(try disk.index.hints(after: 0, limit: 10).map(\.hint) == [[1], [3]])
            #expect(disk.index.hintCount == 2)
            try fixture.restart(losingIndex: losingIndex)
        }
    }

    @Test("A segment with damaged content in force stays until it is healed; everything else moves")
    func damagedContent() throws {
        for number in UInt64(1)...8 { try put("key \(number)", number) }
        for number in UInt64(3)...8 { try put("key \(number)", 10 + number) }
        let key = BlobKey(BlobID(high: 5, low: 1))
        let position = LogPosition(rawValue: try #require(try disk.index.blob(key)).position)
        #expect(position.segment == 1)
        fixture.files.damage("segment-0000000001.log", at: Int(position.offset) + 5000)
        let outcomes = try compactAll()
        #expect(outcomes.contains(.damaged(1)))
        #expect(segments.contains(1))
        #expect(try #require(try disk.index.register(name("key 1"))).position > UInt64(1) << 33)
        #expect(disk.compactor.status(of: disk).damagedSegments == 1)
        try expect("key 2", 2)
        #expect(try fixture.read(name("key 1")).blob == nil)
        let blob = BlobPayload(text("key 1", 1), id: 1)
        let learned = try Pending.of {
            disk.learn(name("key 1"), .sample(1, blobs: [blob.id]), blob: blob, $0)
        }
        #expect(learned == .known)
        // Nobody waits for the healing; it is applied with or before the next write.
        try put("later", 100)
        #expect(try compactAll().contains(.removed(freed: 4 << 20)))
        #expect(!segments.contains(1))
        for losingIndex in [false, true] {
            try expect("key 1", 1)
            try fixture.restart(losingIndex: losingIndex)
        }
    }

    @Test("A register whose record cannot be read is written again from the index or the footer")
    func damagedRegister() throws {
        for number in UInt64(1)...12 { try put("key \(number)", number) }
        for number in UInt64(4)...12 { try put("key \(number)", 20 + number) }
        let position = LogPosition(rawValue: try #require(try disk.index.register(name("key 2"))).position)
        #expect(position.segment == 1)
        fixture.files.damage("segment-0000000001.log", at: Int(position.offset) + 20)
        try compactAll()
        #expect(!segments.contains(1))
        for losingIndex in [false, true] {
            try expect("key 2", 2)
            #expect(!disk.index.hasDoubt)
            try fixture.restart(losingIndex: losingIndex)
        }
    }

    @Test("Registers in doubt are not moved: their segment waits until the doubt is settled")
    func doubt() throws {
        for number in UInt64(1)...8 { try put("key \(number)", number) }
        for number in UInt64(2)...8 { try put("key \(number)", 10 + number) }
        let end = disk.log.end
        func say(_ entry: LogEntry) throws { try Pending<Void>.of { disk.appendAll([entry], urgency: .now, $0) } }
        try say(.doubt(before: end, slots: SlotSet([SlotSet.slot(ofKey: name("key 1").indexKey)])))
        let outcomes = try compactAll()
        #expect(outcomes.contains(.doubtful))
        #expect(segments.contains(1))
        #expect(disk.compactor.status(of: disk).doubtfulSegments == 1)
        try say(.trust(before: end, slots: .all))
        #expect(try compactAll().contains(.removed(freed: 4 << 20)))
        #expect(!segments.contains(1))
        try fixture.restart(losingIndex: true)
        #expect(!disk.index.hasDoubt)
        try expect("key 1", 1)
    }

    @Test("A crash at any step of the compaction of a segment loses nothing and brings nothing back")
    func crashes() throws {
        var generator = SeededGenerator(seed: 1)
        var isFinished = false
        var steps = 0
        while !isFinished, steps < 60 {
            let fixture = try DiskFixture()
            let script = CompactionScript(fixture)
            try script.fill()
            fixture.files.crash(after: steps)
            isFinished = (try? fixture.disk.compactor.compactOne(fixture.disk)) == .removed(freed: 4 << 20)
            try fixture.restart(losingIndex: generator.chance(0.5)) { _ in }
            try script.check("crash after \(steps) operations")
            while try fixture.disk.compactor.compactOne(fixture.disk) != nil {}
            try script.check("compacted again after \(steps) operations")
            steps += 1
        }
        #expect(isFinished)
        #expect(steps > 5)
    }

    @Test("Compaction by command runs to its end, holds while it is suspended, and tells its numbers")
    func commands() throws {
        for number in UInt64(1)...20 { try put("a", number) }
        let compactor = disk.compactor
        #expect(compactor.status(of: disk).totalSegments == segments.count - 1)
        compactor.suspend()
        #expect(compactor.status(of: disk).activity == .suspending)
        compactor.start(disk)
        compactor.awaitIdle()
        let status = compactor.status(of: disk)
        #expect(status.activity == .idling)
        #expect(status.removedSegments > 0)
        #expect(status.freedBytes == UInt64(status.removedSegments) * 4 << 20)
        #expect(status.pendingSegments == 0)
        #expect(try #require(status.lastStart) <= (try #require(status.lastEnd)))
        try expect("a", 20)
    }
}
