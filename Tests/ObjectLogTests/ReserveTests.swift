import Foundation
import ObjectLog
import Testing

@Suite struct ReserveTests {
    private static let segmentSize = 64 << 10

    /// Writes until the priority is refused; returns how many records went in.
    private func fill(_ open: OpenLog, _ priority: AppendPriority) throws -> Int {
        var count = 0
        #expect(throws: ObjectLogError.diskFull) {
            while count < 200 {
                let entry = LogEntry.text("\(priority) \(count)", payload: 5000)
                try open.log.waitForRoom(entry.recordSize, priority: priority)
                open.collector.wait(for: try open.log.append(entry, priority: priority))
                count += 1
            }
        }
        return count
    }

    @Test("A full disk refuses content, then deletions, then compaction; a removed segment lets content in again")
    func priorities() throws {
        let directory = SimulatedDirectory()
        directory.setCapacity(6 * Self.segmentSize + 4096)
        let open = try OpenLog(directory)
        defer { open.log.stop() }
        let contents = try fill(open, .content)
        #expect(contents > 20)
        #expect(open.log.isFull)
        let deletions = try fill(open, .deletion)
        #expect(deletions > 8)
        let moved = try fill(open, .compaction)
        #expect(moved > 8)
        #expect(open.log.failure == nil)
        let freed = open.log.segments.filter(\.isSealed).map(\.number).prefix(4)
        #expect(freed.count == 4)
        for number in freed { try open.log.remove(segment: number) }
        let entry = LogEntry.text("again", payload: 5000)
        // The thread that prepares segments takes the space by itself.
        while open.log.isFull { try? open.log.waitForRoom(entry.recordSize) }
        try open.log.waitForRoom(entry.recordSize)
        try open.write(entry)
    }

    @Test("The bytes that are left to others stay free")
    func reserveOfTheFileSystem() throws {
        let directory = SimulatedDirectory()
        directory.setCapacity(10 * Self.segmentSize)
        let reserve = 3 * Self.segmentSize
        let configuration = ObjectLogConfiguration(
            node: "storage-1", segmentSize: Self.segmentSize, lazyDelay: .seconds(60), reserve: reserve)
        let (log, _) = try ObjectLog.open(directory, configuration: configuration) { _ in }
        defer { log.stop() }
        log.start(observer: Collector())
        #expect(throws: ObjectLogError.diskFull) {
            for number in 0..<400 {
                let entry = LogEntry.text("\(number)", payload: 5000)
                try log.waitForRoom(entry.recordSize, priority: .compaction)
                try log.append(entry, priority: .compaction)
            }
        }
        #expect(try log.space().free >= reserve)
    }

    @Test("A log whose last segment is full opens on a full disk: it can be read, and goes on when there is space")
    func openingFull() throws {
        let directory = SimulatedDirectory()
        directory.setCapacity(4 * Self.segmentSize + 4096)
        let open = try OpenLog(directory)
        _ = try fill(open, .compaction)
        let first = try #require(open.log.segments.first)
        open.log.stop()
        directory.setCapacity(0)
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(next.report.damages.isEmpty)
        let record = try #require(next.replayed.first)
        #expect(record.position.segment == first.number)
        #expect(try next.log.read(at: record.position, size: record.recordSize).head == record.head)
        #expect(throws: ObjectLogError.diskFull) { try next.log.waitForRoom(60_000) }
        directory.setCapacity(.max)
        try next.log.waitForRoom(60_000)
        try next.write(.text("goes on", payload: 60_000))
    }

    @Test("No file can be created: appends go on in what is prepared, then wait for it to be possible again")
    func noInodes() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        defer { open.log.stop() }
        try open.write(.text("first"))
        for code in [ENOSPC, EMFILE] {
            directory.fail(.create, with: code)
            #expect(throws: ObjectLogError.self) {
                for number in 0..<100 {
                    let entry = LogEntry.text("\(number)", payload: 5000)
                    try open.log.waitForRoom(entry.recordSize)
                    try open.write(entry)
                }
            }
            directory.fail(.create, with: nil)
            try open.log.waitForRoom(60_000)
            try open.write(.text("again", payload: 60_000))
        }
        #expect(open.log.failure == nil)
    }

    @Test("A read that the device or the process's descriptors refuse fails alone; a write makes the log read-only")
    func refusedOperations() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        defer { open.log.stop() }
        let entry = LogEntry.text("content", payload: 5000)
        let position = try open.write(entry)
        directory.fail(.read, with: EIO)
        #expect(throws: ObjectLogError.file(FileError("read", "file", code: EIO))) {
            try open.log.read(at: position, size: entry.recordSize)
        }
        directory.fail(.read, with: nil)
        #expect(try open.log.read(at: position, size: entry.recordSize).payload == entry.payload)
        directory.fail(.write, with: EROFS)
        let refused = try open.log.append(.text("refused"))
        #expect(!open.collector.wait(for: refused))
        guard case .readOnly = open.collector.waitForFailure() else {
            Issue.record("not read-only")
            return
        }
        #expect(try open.log.read(at: position, size: entry.recordSize).payload == entry.payload)
    }
}
