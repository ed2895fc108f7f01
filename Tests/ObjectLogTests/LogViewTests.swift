import Foundation
import Model
import NIOCore
import Testing

@testable import ObjectLog

/// Records read by another process than the one that writes the log.
@Suite struct LogViewTests {
    private let folder = FileManager.default.temporaryDirectory.path + "/log-view-\(UUID().uuidString)"

    private func withLog(segmentSize: Int = 64 << 10, _ body: (OpenLog, LogView) throws -> Void) throws {
        defer { try? FileManager.default.removeItem(atPath: folder) }
        let open = try OpenLog(try RealDirectory(folder), segmentSize: segmentSize)
        defer { open.log.stop() }
        try body(open, LogView(of: open.log.path, disk: open.log.owner.disk))
    }

    @Test("Records are read while the log is written, past the cache or not")
    func reads() throws {
        try withLog { open, view in
            for (head, size) in [
                (8, 0), (8, 100), (8, 5000), (8, 40_000), (190, 40_000), (250, 40_000), (3000, 40_000),
            ] {
                let entry = LogEntry.text(String(repeating: "h", count: head), payload: size)
                let position = try open.write(entry)
                for record in [
                    try view.read(at: position, size: entry.recordSize),
                    // It was written just now: the system has it in memory.
                    try #require(view.cached(at: position, size: entry.recordSize)),
                    try open.log.read(at: position, size: entry.recordSize),
                ] {
                    #expect(record.payload == entry.payload && record.head == entry.head)
                    #expect(record.payload.storageCapacity < 2 * max(1 << 14, size))
                }
            }
        }
    }

    @Test("No file stays open")
    func closed() throws {
        try withLog { open, view in
            let entry = LogEntry.text("a", payload: 40_000)
            let position = try open.write(entry)
            // The log itself has it open, and meanwhile prepares others.
            let name = segmentName(Int(position.segment))
            let before = openFiles(of: name)
            _ = try view.read(at: position, size: entry.recordSize)
            _ = view.cached(at: position, size: entry.recordSize)
            #expect(openFiles(of: name) == before)
        }
    }

    /// How often this process has a file of the folder open.
    private func openFiles(of name: String) -> Int {
        let descriptors = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
        return descriptors.count {
            (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/fd/" + $0)) == folder + "/" + name
        }
    }

    @Test("A record that is not in memory is brought there, and none that follows")
    func alone() throws {
        try withLog(segmentSize: 4 << 20) { open, view in
            let entry = LogEntry.text("a", payload: 40_000)
            // What is near the beginning of a file comes along with it.
            try open.write(.text("b", payload: 1 << 20))
            let positions = try (0..<4).map { _ in try open.write(entry) }
            #expect(evict(1))
            let inMemory = { try positions.map { try resident(Int($0.offset), entry.recordSize) } }
            guard try !inMemory().contains(where: { $0 > 0 }) else {
                return print("NOT TESTED: this file system keeps files in memory")
            }
            #expect(view.cached(at: positions[0], size: entry.recordSize) == nil)
            _ = try view.read(at: positions[0], size: entry.recordSize)
            // Its header came with the one before it.
            #expect(view.cached(at: positions[1], size: entry.recordSize) == nil)
            // Records share pages with their neighbours.
            let shares = try inMemory()
            #expect(shares[0] == 1 && shares[1...].allSatisfy { $0 < 0.2 })
            _ = try open.log.read(at: positions[2], size: entry.recordSize)
            #expect(try inMemory()[2] == 1 && inMemory()[3] < 0.2)
        }
    }

    private func evict(_ segment: Int) -> Bool {
        guard let file = FileHandle(forReadingAtPath: folder + "/" + segmentName(segment)) else { return false }
        return fsync(file.fileDescriptor) == 0 && posix_fadvise(file.fileDescriptor, 0, 0, POSIX_FADV_DONTNEED) == 0
    }

    /// The share of the pages of a range of the first segment that the system has in memory.
    private func resident(_ offset: Int, _ size: Int) throws -> Double {
        let file = try #require(FileHandle(forReadingAtPath: folder + "/" + segmentName(1)))
        let first = offset / 4096
        let count = (offset + size - 1) / 4096 - first + 1
        let map = try #require(
            mmap(nil, count * 4096, PROT_READ, MAP_SHARED, file.fileDescriptor, off_t(first * 4096)))
        defer { munmap(map, count * 4096) }
        var pages = [UInt8](repeating: 0, count: count)
        #expect(mincore(map, count * 4096, &pages) == 0)
        return Double(pages.count { $0 & 1 == 1 }) / Double(count)
    }

    @Test("Nothing is locked or written")
    func leavesAlone() throws {
        try withLog { open, view in
            let position = try open.write(.text("a", payload: 100))
            _ = try view.read(at: position, size: LogEntry.text("a", payload: 100).recordSize)
            #expect(open.report.damages.isEmpty)
            open.log.stop()
            #expect(throws: ObjectLogError.self) { try view.read(at: LogPosition(segment: 77, offset: 64), size: 100) }
            #expect(!FileManager.default.fileExists(atPath: folder + "/" + segmentName(77)))
            try OpenLog(try RealDirectory(folder)).log.stop()
        }
    }

    @Test("What stands there otherwise is refused: another size, another place, damage")
    func damaged() throws {
        try withLog { open, view in
            let entry = LogEntry.text("a", payload: 1000)
            let position = try open.write(entry)
            _ = try open.write(.text("b", payload: 1000))
            for (position, size) in [
                (position, entry.recordSize + 8), (position.advanced(by: 8), entry.recordSize), (position, 1 << 30),
            ] {
                #expect(throws: ObjectLogError.self) { try view.read(at: position, size: size) }
                #expect(view.cached(at: position, size: size) == nil)
            }
            let file = try #require(FileHandle(forUpdatingAtPath: folder + "/" + segmentName(Int(position.segment))))
            try file.seek(toOffset: UInt64(position.offset) + 500)
            try file.write(contentsOf: [0x55, 0xaa, 0x55])
            try file.close()
            #expect(throws: ObjectLogError.self) { try view.read(at: position, size: entry.recordSize) }
            #expect(view.cached(at: position, size: entry.recordSize) == nil)
        }
    }

    @Test("Damage in the head of a large record is found, whatever length it seems to have")
    func damagedHeads() throws {
        try withLog { open, view in
            let entry = LogEntry.text(String(repeating: "h", count: 400), payload: 40_000)
            for offset in [0, 32, 33, 35, 47, 100, 440] {
                let position = try open.write(entry)
                let path = folder + "/" + segmentName(Int(position.segment))
                let file = try #require(FileHandle(forUpdatingAtPath: path))
                try file.seek(toOffset: UInt64(position.offset) + UInt64(offset))
                try file.write(contentsOf: [0xee])
                try file.close()
                #expect(throws: ObjectLogError.self) { try view.read(at: position, size: entry.recordSize) }
                #expect(throws: ObjectLogError.self) { try open.log.read(at: position, size: entry.recordSize) }
            }
        }
    }

    @Test("The log of another disk, or none, is not read")
    func foreign() throws {
        try withLog { open, _ in
            let entry = LogEntry.text("a", payload: 1000)
            let position = try open.write(entry)
            let other = LogView(of: folder, disk: DiskID(high: 1, low: 2))
            #expect {
                try other.read(at: position, size: entry.recordSize)
            } throws: {
                if case .foreign? = $0 as? ObjectLogError { true } else { false }
            }
            #expect(other.cached(at: position, size: entry.recordSize) == nil)
            let nowhere = LogView(of: folder + "/no", disk: open.log.owner.disk)
            #expect {
                try nowhere.read(at: position, size: entry.recordSize)
            } throws: {
                if case .file(let error)? = $0 as? ObjectLogError { error.operation == "open" } else { false }
            }
        }
    }

    @Test("A segment that was removed is not read, though it was open here")
    func removed() throws {
        try withLog { open, view in
            let entry = LogEntry.text("a", payload: 20_000)
            let positions = try (0..<8).map { _ in try open.write(entry) }
            _ = try view.read(at: positions[0], size: entry.recordSize)
            #expect(positions.last?.segment != positions[0].segment)
            try open.log.remove(segment: positions[0].segment)
            #expect(throws: ObjectLogError.self) { try view.read(at: positions[0], size: entry.recordSize) }
        }
    }

    @Test("A link in place of a segment is not followed")
    func link() throws {
        try withLog { open, _ in
            let entry = LogEntry.text("a", payload: 1000)
            let position = try open.write(entry)
            let linked = folder + "-linked"
            try FileManager.default.createDirectory(atPath: linked, withIntermediateDirectories: true)
            defer { try? FileManager.default.removeItem(atPath: linked) }
            let name = segmentName(Int(position.segment))
            try FileManager.default.createSymbolicLink(
                atPath: linked + "/" + name, withDestinationPath: folder + "/" + name)
            let view = LogView(of: linked, disk: open.log.owner.disk)
            #expect(view.cached(at: position, size: entry.recordSize) == nil)
            #expect(throws: ObjectLogError.self) { try view.read(at: position, size: entry.recordSize) }
        }
    }
}
