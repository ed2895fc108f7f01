import ObjectLog
import Testing

@Suite struct RecoveryTests {
    private func logOfTen(_ directory: SimulatedDirectory) throws -> [LogPosition] {
        let open = try OpenLog(directory)
        let positions = try (0..<10).map { try open.write(.text("record \($0)", payload: 100)) }
        open.log.stop()
        return positions
    }

    @Test("Garbage behind the last record is cut off, and the log goes on there")
    func tornTail() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        try open.write(.text("whole"))
        let torn = open.log.end
        open.log.stop()
        let end = try OpenLog(directory, starts: false)
        let tail = end.log.end
        end.log.stop()
        #expect(tail > torn)
        directory.scribble(Array(repeating: 0xaa, count: 700), on: segmentName(1), at: Int(tail.offset))
        let next = try OpenLog(directory)
        #expect(next.report.cut?.position == tail)
        #expect(next.report.cut?.size == 700)
        #expect(next.report.damages.isEmpty)
        #expect(next.replayed.map(\.text) == ["whole"])
        try next.write(.text("new"))
        next.log.stop()
        let last = try OpenLog(directory)
        defer { last.log.stop() }
        #expect(last.replayed.map(\.text) == ["whole", "new"])
        #expect(last.report.cut == nil)
    }

    @Test("A damaged record before synced ones is reported, and the rest is kept")
    func damagedMiddle() throws {
        let directory = SimulatedDirectory()
        let positions = try logOfTen(directory)
        directory.damage(segmentName(1), at: Int(positions[4].offset) + 20)
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(next.replayed.map(\.text) == (0..<10).filter { $0 != 4 }.map { "record \($0)" })
        #expect(next.report.cut == nil)
        #expect(next.report.damages.map(\.kind) == [.unreadable])
        #expect(next.report.damages.first?.position == positions[4])
        #expect(next.report.damages.first?.records == 1)
    }

    @Test("Even the last record is reported as damaged, not cut, when the log was idle after it")
    func damagedLast() throws {
        let directory = SimulatedDirectory()
        let positions = try logOfTen(directory)
        directory.damage(segmentName(1), at: Int(positions[9].offset) + 20)
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(next.report.cut == nil)
        #expect(next.report.damages.map(\.position) == [positions[9]])
    }

    @Test("A record with a damaged payload is replayed and marked")
    func damagedPayload() throws {
        let directory = SimulatedDirectory()
        let positions = try logOfTen(directory)
        directory.damage(segmentName(1), at: Int(positions[4].offset) + 48 + 8 + 50)
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(next.replayed.map(\.text) == (0..<10).map { "record \($0)" })
        #expect(next.replayed.filter { !$0.payloadIntact }.map(\.text) == ["record 4"])
        #expect(next.report.damages.map(\.kind) == [.payload])
    }

    @Test("A segment that was lost is reported, and the numbering tells how many records were in it")
    func lostSegment() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory)
        for number in 0..<40 { try open.write(.text("record \(number)", payload: 5000)) }
        open.log.stop()
        try directory.remove(segmentName(2))
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(next.report.damages.map(\.kind) == [.lostSegment])
        // The footer is one of the log's records, too.
        #expect(next.replayed.count == 40 + 1 - Int(next.report.damages.first?.records ?? 0))
    }

    @Test("A log that ends before the checkpoint of its index says so")
    func truncated() throws {
        let directory = SimulatedDirectory()
        let positions = try logOfTen(directory)
        let beyond = LogPosition(segment: positions[9].segment, offset: positions[9].offset + 4096)
        let next = try OpenLog(directory, checkpoint: beyond)
        defer { next.log.stop() }
        #expect(next.report.damages.map(\.kind) == [.truncated])
    }

    @Test("Content that looks like a record is not taken for one")
    func recordInContent() throws {
        let directory = SimulatedDirectory()
        let other = SimulatedDirectory()
        let foreign = try OpenLog(other)
        try foreign.write(.text("planted"))
        foreign.log.stop()
        let bytes = try other.open(segmentName(1)).bytes(200, at: 64)
        // The same place in a log of another disk: only the seed of the checksums differs.
        let open = try OpenLog(directory)
        open.log.stop()
        directory.scribble(bytes, on: segmentName(1), at: 64)
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(next.replayed.isEmpty)
    }
}

extension LogFile {
    fileprivate func bytes(_ count: Int, at offset: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        _ = try bytes.withUnsafeMutableBytes { try read(into: $0, at: offset) }
        return bytes
    }
}
