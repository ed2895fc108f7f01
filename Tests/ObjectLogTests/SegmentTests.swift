import Foundation
import ObjectLog
import Testing

@Suite struct SegmentTests {
    /// 40 records of 5,000 bytes: more than three segments.
    private func logOfForty(_ directory: any LogDirectory) throws -> [LogPosition] {
        let open = try OpenLog(directory)
        let positions = try (0..<40).map { try open.write(.text("record \($0)", payload: 5000)) }
        open.log.stop()
        return positions
    }

    private let all = (0..<40).map { "record \($0)" }

    @Test("A sealed segment is opened by its footer: a damaged header does not hide what stood there")
    func damagedHeader() throws {
        let directory = SimulatedDirectory()
        let positions = try logOfForty(directory)
        directory.damage(segmentName(1), at: Int(positions[3].offset) + 20)
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(next.replayed.map(\.text) == all)
        #expect(next.report.damages.isEmpty)
        let items = try read(next.log, 1)
        #expect(items.texts.count == positions.filter { $0.segment == 1 }.count - 1)
        #expect(items.damages.map(\.range.lowerBound) == [positions[3]])
        let known = try #require(items.damages.first?.known)
        #expect(String(decoding: known.head, as: UTF8.self) == "record 3")
        #expect(known.payload == LogEntry.text("record 3", payload: 5000).payload)
    }

    @Test("A damaged footer costs nothing but the time to read the segment")
    func damagedFooter() throws {
        let pristine = SimulatedDirectory()
        _ = try logOfForty(pristine)
        let open = try OpenLog(pristine, starts: false)
        let size = try #require(open.log.segments.first?.capacity)
        open.log.stop()
        let bytes = try pristine.open(segmentName(1)).whole(size)
        let block = bytes[0..<size - 32].lastIndex { $0 != 0 }!
        for offset in [size - 1, size - 20, size - 32, block, block - 100] {
            let directory = pristine.copy()
            directory.damage(segmentName(1), at: offset)
            let next = try OpenLog(directory)
            #expect(next.replayed.map(\.text) == all, "byte \(offset)")
            #expect(next.report.damages.allSatisfy { $0.kind == .footer }, "\(next.report.damages)")
            let damages = try read(next.log, 1).damages
            #expect(damages.allSatisfy { $0.isOwn })
            next.log.stop()
        }
    }

    @Test("A removed segment is gone, is not missed, and its number is not used again")
    func removal() throws {
        let directory = SimulatedDirectory()
        let positions = try logOfForty(directory)
        let open = try OpenLog(directory)
        let active = try #require(open.log.segments.last)
        #expect(!active.isSealed)
        #expect(throws: ObjectLogError.inUse(active.number)) { try open.log.remove(segment: active.number) }
        for segment in open.log.segments where segment.isSealed { try open.log.remove(segment: segment.number) }
        #expect(throws: ObjectLogError.removed(1)) { try open.log.read(at: positions[0], size: 5056) }
        #expect(open.log.segments.map(\.number) == [active.number])
        open.log.stop()
        let next = try OpenLog(directory)
        defer { next.log.stop() }
        #expect(next.report.damages.isEmpty)
        #expect(next.replayed.map(\.position) == positions.filter { $0.segment == active.number })
        let later = try next.write(.text("later"))
        #expect(later > positions.last!)
        let names = try directory.names()
        #expect(!names.contains { $0.hasSuffix(".removed") })
    }

    @Test("Wherever a crash meets a removal, the segment is there as a whole or gone for good")
    func crashesOfRemoval() throws {
        let pristine = SimulatedDirectory()
        let positions = try logOfForty(pristine)
        let others = zip(all, positions).filter { $0.1.segment != 2 }.map(\.0)
        var generator = SystemRandomNumberGenerator()
        for point in 1...20 {
            for loss in SimulatedDirectory.Loss.allCases {
                let directory = pristine.copy()
                let open = try OpenLog(directory, starts: false)
                directory.crash(after: point)
                let confirmed = (try? open.log.remove(segment: 2)) != nil
                let later = directory.afterCrash(loss, using: &generator)
                for _ in 0..<2 {
                    let next = try OpenLog(later, starts: false)
                    let texts = next.replayed.map(\.text)
                    #expect(texts == others || !confirmed && texts == all, "operation \(point), \(loss)")
                    #expect(next.report.damages.isEmpty, "operation \(point), \(loss)")
                    next.log.stop()
                }
            }
        }
    }

    @Test("Lost and truncated segments are reported at every opening, whatever the checkpoint")
    func lostAndTruncated() throws {
        let directory = SimulatedDirectory()
        let positions = try logOfForty(directory)
        let bytes = try directory.open(segmentName(2)).whole(30_000)
        try directory.create(segmentName(2)).put(bytes)
        try directory.remove(segmentName(1))
        for _ in 0..<2 {
            let next = try OpenLog(directory, checkpoint: positions.last!)
            #expect(next.report.damages.map(\.kind) == [.lostSegment, .truncatedSegment])
            #expect(next.report.damages.map(\.position.segment) == [1, 2])
            #expect(next.replayed.map(\.text) == ["record 39"])
            next.log.stop()
        }
        let rebuilt = try OpenLog(directory)
        defer { rebuilt.log.stop() }
        let left = zip(all, positions).filter { $1.segment > 2 || $1.segment == 2 && $1.offset < 30_000 }.map(\.0)
        #expect(rebuilt.replayed.map(\.text) == left)
        #expect(rebuilt.replayed.filter { !$0.payloadIntact }.count <= 1)
    }

    @Test("Thousands of records with payloads go to the disk in one batch")
    func manyPieces() throws {
        let path = NSTemporaryDirectory() + "object-log-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        let open = try OpenLog(try RealDirectory(path), segmentSize: 4 << 20)
        defer { open.log.stop() }
        let entries = (0..<3000).map { LogEntry.text("\($0)", payload: $0 % 50) }
        let positions = try entries.map { try open.log.append($0, urgency: .lazy) }
        try open.write(.text("last"))
        #expect(open.collector.batches.map(\.records).max()! > 2500)
        for (entry, position) in zip(entries, positions) {
            #expect(try open.log.read(at: position, size: entry.recordSize).payload == entry.payload)
        }
        let texts = try read(open.log, 1).texts
        #expect(texts == (0..<3000).map(String.init) + ["last"])
    }

    @Test(
        "The space of a removed segment comes back slice by slice, unless somebody reads it", arguments: [false, true])
    func spaceOfRemoved(isRead: Bool) throws {
        let path = NSTemporaryDirectory() + "object-log-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        let open = try OpenLog(try RealDirectory(path), segmentSize: 4 << 20)
        defer { open.log.stop() }
        let names = (0..<60).map(String.init)
        let positions = try names.map { try open.write(.text($0, payload: 100_000)) }
        let file = try FileHandle(forReadingFrom: URL(filePath: path + "/" + segmentName(1)))
        var reader = isRead ? try open.log.reader(of: 1) : nil
        try open.log.remove(segment: 1)
        #expect(try file.seekToEnd() == (isRead ? 4 << 20 : 1 << 20))
        #expect(!FileManager.default.fileExists(atPath: path + "/" + segmentName(1)))
        var read = 0
        while case .record? = try reader?.next() { read += 1 }
        #expect(read == (isRead ? positions.filter { $0.segment == 1 }.count : 0))
        reader = nil
    }

    private func read(_ log: ObjectLog, _ segment: UInt32) throws -> (texts: [String], damages: [SegmentDamage]) {
        let reader = try log.reader(of: segment)
        var texts: [String] = []
        var damages: [SegmentDamage] = []
        while let item = try reader.next() {
            switch item {
            case .record(let record): texts.append(String(decoding: record.head, as: UTF8.self))
            case .damage(let damage): damages.append(damage)
            }
        }
        return (texts, damages)
    }
}

extension LogFile {
    func whole(_ count: Int) throws -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: count)
        _ = try bytes.withUnsafeMutableBytes { try read(into: $0, at: 0) }
        return bytes
    }

    func put(_ bytes: [UInt8]) throws {
        var bytes = bytes
        try bytes.withUnsafeMutableBytes { memory in
            let piece = iovec(iov_base: memory.baseAddress, iov_len: memory.count)
            try withUnsafePointer(to: piece) { try write(UnsafeBufferPointer(start: $0, count: 1), at: 0) }
        }
    }
}
