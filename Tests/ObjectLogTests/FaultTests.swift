import ObjectLog
import Testing

@Suite struct FaultTests {
    @Test("After a failed sync nothing is acknowledged and nothing is accepted, and reads go on")
    func failedSync() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        defer { open.log.stop() }
        let entry = LogEntry.text("good", payload: 100)
        let position = try open.write(entry)
        let acknowledged = open.collector.end
        directory.failSyncs()
        let lost = try open.log.append(.text("bad"))
        #expect(!open.collector.wait(for: lost))
        guard case .readOnly = open.collector.waitForFailure() else {
            Issue.record("not read-only")
            return
        }
        #expect(open.collector.end == acknowledged)
        #expect(throws: ObjectLogError.self) { try open.log.append(.text("later")) }
        #expect(throws: ObjectLogError.self) { try open.log.waitForRoom(10) }
        #expect(try open.log.read(at: position, size: entry.recordSize).payload == entry.payload)
    }

    @Test("A full disk refuses records, serves reads, and takes records again when there is room")
    func diskFull() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        defer { open.log.stop() }
        directory.setCapacity(4 * (64 << 10))
        var written: [(LogPosition, LogEntry)] = []
        #expect(throws: ObjectLogError.diskFull) {
            for number in 0..<100 {
                let entry = LogEntry.text("record \(number)", payload: 5000)
                try open.log.waitForRoom(entry.recordSize)
                written.append((try open.write(entry), entry))
            }
        }
        #expect(written.count > 10)
        for (position, entry) in written {
            #expect(try open.log.read(at: position, size: entry.recordSize).payload == entry.payload)
        }
        directory.setCapacity(.max)
        let entry = LogEntry.text("after", payload: 60_000)
        try open.log.waitForRoom(entry.recordSize)
        try open.write(entry)
        #expect(open.log.failure == nil)
    }

    @Test("Changed bytes are never given out")
    func damagedRead() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        defer { open.log.stop() }
        let entry = LogEntry.text("content", payload: 1000)
        let position = try open.write(entry)
        for offset in [0, 9, 20, 33, 45, 50, 60, 500, entry.recordSize - 1] {
            directory.damage(segmentName(1), at: Int(position.offset) + offset)
            #expect(throws: ObjectLogError.self, "byte \(offset)") {
                try open.log.read(at: position, size: entry.recordSize)
            }
            directory.damage(segmentName(1), at: Int(position.offset) + offset)
        }
        #expect(try open.log.read(at: position, size: entry.recordSize).payload == entry.payload)
    }

    @Test("A directory that another process uses is refused")
    func locked() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        #expect(throws: ObjectLogError.locked("simulated")) { try OpenLog(directory) }
        open.log.stop()
        try OpenLog(directory).log.stop()
    }

    @Test("A directory of another node, of a newer version or without an owner is refused and left alone")
    func foreign() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        try open.write(.text("mine"))
        open.log.stop()
        func refusal(_ node: String = "storage-1") -> ObjectLogError? {
            #expect(throws: ObjectLogError.self) { try OpenLog(directory, node: .init(node)).log.stop() }
        }
        guard case .foreign = refusal("storage-2") else {
            Issue.record("another node was let in")
            return
        }
        directory.scribble(Array("martlet object log 9\n".utf8), on: "owner", at: 0)
        guard case .newerFormat = refusal() else {
            Issue.record("a newer format was opened")
            return
        }
        directory.scribble(Array("something else now 1\n".utf8), on: "owner", at: 0)
        guard case .foreign = refusal() else {
            Issue.record("a foreign directory was opened")
            return
        }
        try directory.remove("owner")
        guard case .foreign = refusal() else {
            Issue.record("segments without an owner were opened")
            return
        }
    }
}
