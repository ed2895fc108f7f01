import Foundation
import ObjectLog
import Testing

@Suite struct AppendTests {
    @Test("Records of any size are read back as they were written, before and after a restart")
    func roundTrip() throws {
        let path = NSTemporaryDirectory() + "object-log-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        let entries = [0, 1, 7, 4096, 1 << 20].map { LogEntry.text("payload of \($0)", payload: $0) }
        let first = try OpenLog(try RealDirectory(path), segmentSize: 4 << 20)
        let positions = try entries.map { try first.write($0) }
        func check(_ log: ObjectLog) throws {
            for (entry, position) in zip(entries, positions) {
                let record = try log.read(at: position, size: entry.recordSize)
                #expect(record.head == entry.head)
                #expect(record.payload == entry.payload)
                #expect(record.type == entry.type)
                #expect(log.cached(at: position, size: entry.recordSize)?.payload == entry.payload)
                #expect(log.cached(at: position, size: entry.recordSize + 64) == nil)
            }
        }
        try check(first.log)
        first.log.stop()
        let second = try OpenLog(try RealDirectory(path), segmentSize: 4 << 20)
        defer { second.log.stop() }
        #expect(second.replayed.map(\.position) == positions)
        #expect(second.replayed.map(\.head) == entries.map(\.head))
        #expect(second.report.damages.isEmpty)
        #expect(second.report.cut == nil)
        try check(second.log)
    }

    @Test("Records that wait while the disk syncs share the next sync")
    func groupCommit() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        defer { open.log.stop() }
        try open.write(.text("first"))
        directory.holdSyncs(true)
        let positions = try (0..<64).map { try open.log.append(.text("record \($0)")) }
        directory.holdSyncs(false)
        open.collector.wait(for: positions.last!)
        // "first", then those that came before the writer was in its sync, then the rest. (The syncs of the directory are more:
        // the next segment is prepared meanwhile.)
        #expect(open.collector.batches.count <= 3)
        #expect(open.collector.batches.map(\.records).reduce(0, +) == 65)
    }

    @Test("A record that nobody waits for goes with the next batch and has no sync of its own")
    func lazyRecords() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        defer { open.log.stop() }
        try open.log.append(.text("lazy"), urgency: .lazy)
        #expect(open.collector.batches.isEmpty)
        try open.write(.text("urgent"))
        #expect(open.collector.batches.map(\.records) == [2])
    }

    @Test("A lazy record is written after its delay even when nothing else comes")
    func lazyDelay() throws {
        let open = try OpenLog(SimulatedDirectory(), lazyDelay: .milliseconds(1))
        defer { open.log.stop() }
        let position = try open.log.append(.text("lazy"), urgency: .lazy)
        #expect(open.collector.wait(for: position))
    }

    @Test("Stopping writes and syncs what waits")
    func stopping() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        try open.log.append(.text("lazy"), urgency: .lazy)
        open.log.stop()
        #expect(throws: ObjectLogError.stopped) { try open.log.append(.text("late")) }
        var generator = SystemRandomNumberGenerator()
        let next = try OpenLog(directory.afterCrash(.dropped, using: &generator))
        defer { next.log.stop() }
        #expect(next.replayed.map(\.text) == ["lazy"])
    }

    @Test("The log goes on in new segments, and a checkpoint saves the replay of what is before it")
    func segments() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        let positions = try (0..<40).map { try open.write(.text("record \($0)", payload: 5000)) }
        open.log.stop()
        #expect(positions.last!.segment >= 3)
        let next = try OpenLog(directory, checkpoint: positions[30])
        defer { next.log.stop() }
        #expect(next.replayed.map(\.text) == (30..<40).map { "record \($0)" })
        #expect(next.report.damages.isEmpty)
    }

    @Test("A record that fits into no segment is refused")
    func tooLarge() throws {
        let open = try OpenLog(SimulatedDirectory())
        defer { open.log.stop() }
        #expect(throws: ObjectLogError.recordTooLarge(48 + 3 + (64 << 10))) {
            try open.log.append(.text("big", payload: 64 << 10))
        }
        try open.write(.text("small"))
    }
}
