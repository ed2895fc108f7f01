import Foundation
import Glibc
import Model
import NIOCore
import Testing

@testable import ObjectLog

/// Batches that go past the system's cache, among others that do not.
@Suite struct DirectWriteTests {
    @Test("Large records on the average go past the cache, small ones stay in it, however many there are")
    func choice() {
        #expect(WritePath(records: 1, bytes: 1 << 20, directFrom: 128 << 10) == .direct)
        #expect(WritePath(records: 1, bytes: 128 << 10, directFrom: 128 << 10) == .direct)
        #expect(WritePath(records: 1, bytes: 128 << 10 - 1, directFrom: 128 << 10) == .cached)
        #expect(WritePath(records: 2, bytes: 1 << 20 + 200, directFrom: 128 << 10) == .direct)
        #expect(WritePath(records: 300, bytes: 300 * 4300, directFrom: 128 << 10) == .cached)
        #expect(WritePath(records: 0, bytes: 0, directFrom: 0) == .cached)
    }

    private func check(_ directory: any LogDirectory, segmentSize: Int, sizes: [Int]) throws {
        var generator = SplitMix(state: 4)
        var entries: [LogEntry] = []
        var positions: [LogPosition] = []
        for generation in 0..<3 {
            let open = try OpenLog(directory, segmentSize: segmentSize, directFrom: 8000)
            #expect(open.report.damages.isEmpty)
            #expect(open.replayed.map(\.position) == positions)
            #expect(open.replayed.filter { !$0.payloadIntact }.isEmpty)
            for number in 0..<150 {
                let size = sizes.randomElement(using: &generator)!
                let entry = LogEntry.text("\(generation) \(number)", payload: size)
                entries.append(entry)
                positions.append(try open.log.append(entry))
                if Bool.random(using: &generator) { open.collector.wait(for: positions.last!) }
                // What was read before, maybe with what stands behind it, must not hide what is written later.
                let known = Int.random(in: 0..<positions.count, using: &generator)
                guard open.collector.end > positions[known] || known < positions.count - 150 else { continue }
                let record = try open.log.read(at: positions[known], size: entries[known].recordSize)
                #expect(record.payload == entries[known].payload)
            }
            open.collector.wait(for: positions.last!)
            for (entry, position) in zip(entries, positions) {
                let record = try open.log.read(at: position, size: entry.recordSize)
                #expect(record.payload == entry.payload)
            }
            open.log.stop()
        }
    }

    @Test("Whatever goes which way, everything reads back, at once and after a restart")
    func mixed() throws {
        let simulated = SimulatedDirectory()
        try check(simulated, segmentSize: 128 << 10, sizes: [0, 10, 4000, 9000, 30_000])
        #expect(simulated.directWrites > 100)
        let path = NSTemporaryDirectory() + "direct-write-" + UUID().uuidString
        defer { try? FileManager.default.removeItem(atPath: path) }
        try check(RealDirectory(path), segmentSize: 4 << 20, sizes: [0, 10, 4000, 9000, 30_000, 200_000])
    }

    @Test("A segment whose size is no multiple of a block is used to its end")
    func oddSize() throws {
        try check(SimulatedDirectory(), segmentSize: (128 << 10) + 1000, sizes: [0, 10, 4000, 9000, 30_000])
    }

    @Test("A file system that refuses is written to through the cache", arguments: [true, false])
    func refused(opens: Bool) throws {
        let directory = Refusing(opens: opens)
        try check(directory, segmentSize: 128 << 10, sizes: [0, 10, 4000, 9000, 30_000])
        #expect(directory.simulated.directWrites == 0)
    }

    @Test("A segment that cannot be opened past the cache is written through it, and the log goes on")
    func noDescriptors() throws {
        let directory = SimulatedDirectory()
        let open = try OpenLog(directory, segmentSize: 1 << 20, directFrom: 8000)
        defer { open.log.stop() }
        let entry = LogEntry.text("large", payload: 30_000)
        directory.fail(.open, with: EMFILE)
        let position = try open.log.append(entry)
        #expect(open.collector.wait(for: position))
        #expect(try open.log.read(at: position, size: entry.recordSize).payload == entry.payload)
        directory.fail(.open, with: nil)
        let next = try open.log.append(entry)
        #expect(open.collector.wait(for: next))
        #expect(try open.log.read(at: next, size: entry.recordSize).payload == entry.payload)
    }

    @Test("A block is known from what was written, or read when somebody else wrote it")
    func lastBlock() throws {
        let directory = SimulatedDirectory()
        let segment = try SegmentFile.prepare(1, capacity: 64 << 10, disk: DiskID(high: 1, low: 2), in: directory)
        var last = LastBlock()
        let header = try segment.file.read(count: 64, at: 0)
        #expect(last.begun(by: 64, of: segment) == header)
        let bytes = (0..<6000).map { UInt8(truncatingIfNeeded: $0) }
        bytes.withUnsafeBytes { bytes in
            let pieces = [
                iovec(UnsafeRawBufferPointer(rebasing: bytes[..<4000])),
                iovec(UnsafeRawBufferPointer(rebasing: bytes[4000...])),
            ]
            last.note(5000, of: segment, in: pieces, from: 0)
        }
        #expect(last.begun(by: 5000, of: segment) == Array(bytes[4096..<5000]))
        // Somewhere else it is read.
        #expect(last.begun(by: 5008, of: segment) == [UInt8](repeating: 0, count: 5008 - 4096))
        #expect(last.begun(by: 8192, of: segment).isEmpty)
    }
}

/// A directory without files that are written past the cache, or with ones that want larger blocks.
private final class Refusing: LogDirectory {
    let simulated = SimulatedDirectory()
    private let opens: Bool

    init(opens: Bool) { self.opens = opens }

    var path: String { simulated.path }
    func lock() throws(FileError) -> Bool { simulated.lock() }
    func unlock() { simulated.unlock() }
    func names() throws(FileError) -> [String] { try simulated.names() }
    func size(of name: String) throws(FileError) -> Int { try simulated.size(of: name) }
    func space() throws(FileError) -> DiskSpace { try simulated.space() }
    func create(_ name: String) throws(FileError) -> any LogFile { try simulated.create(name) }
    func open(_ name: String) throws(FileError) -> any LogFile { try simulated.open(name) }
    func openDirect(_ name: String) -> (any LogFile)? {
        guard opens, let file = try? simulated.open(name) else { return nil }
        return Refused(file: file)
    }
    func rename(_ name: String, to other: String) throws(FileError) { try simulated.rename(name, to: other) }
    func remove(_ name: String) throws(FileError) { try simulated.remove(name) }
    func sync() throws(FileError) { try simulated.sync() }

    private final class Refused: LogFile {
        private let file: any LogFile

        init(file: any LogFile) { self.file = file }

        func write(_ pieces: UnsafeBufferPointer<iovec>, at offset: Int) throws(FileError) {
            throw FileError("write", "refused", code: EINVAL)
        }
        func read(into buffer: UnsafeMutableRawBufferPointer, at offset: Int) throws(FileError) -> Int {
            try file.read(into: buffer, at: offset)
        }
        func sync() throws(FileError) { try file.sync() }
        func size() throws(FileError) -> Int { try file.size() }
    }
}
