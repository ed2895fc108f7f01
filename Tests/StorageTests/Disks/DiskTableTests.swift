import Foundation
import ObjectLog
import Testing

@testable import Storage

@Suite struct DiskTableTests {
    private let table = DiskTable([("/a", 1), ("/b", 1)])
    private let directory = SimulatedDirectory()
    private var file: DiskTableFile { DiskTableFile(directory: directory) }

    @Test("A stored table comes back; none is none")
    func roundTrip() throws {
        #expect(try file.load() == nil)
        var changed = table
        _ = try changed.add("/c", weight: 5)
        changed.addRemnant([3, 1], of: 2)
        try file.store(changed)
        #expect(try file.load() == changed)
        #expect(changed.remnants(of: 2) == [1, 3])
    }

    @Test("A flipped bit anywhere is noticed")
    func damaged() throws {
        try file.store(table)
        let size = try directory.open("disks.json").size()
        for offset in 0..<size - 1 {
            let copy = copied()
            copy.damage("disks.json", at: offset)
            #expect(throws: (any Error).self) { try DiskTableFile(directory: copy).load() }
        }
    }

    @Test("A newer format is refused with its number, an empty file and a cut one as damaged")
    func refused() throws {
        try directory.create("disks.json").write(Array("{\"version\":9}\n".utf8))
        do {
            _ = try file.load()
            Issue.record("a newer format was accepted")
        } catch { #expect("\(error)".contains("newer version (9)")) }
        for text in ["", "{", "{\"version\":2}", "[]\n"] {
            try directory.create("disks.json").write(Array(text.utf8))
            do {
                _ = try file.load()
                Issue.record("accepted: \(text)")
            } catch { #expect("\(error)".contains("damaged")) }
        }
    }

    @Test("After a crash at any operation the old table is there or the new one, never a mixture")
    func crashes() throws {
        try file.store(table)
        try directory.sync()
        var changed = table
        changed.assign(0..<256, to: 1)
        changed.revision = 1
        var generator = SystemRandomNumberGenerator()
        var outcomes: Set<UInt64> = []
        for operation in 1...6 {
            for loss in SimulatedDirectory.Loss.allCases {
                let copy = copied()
                copy.crash(after: operation)
                let isStored = (try? DiskTableFile(directory: copy).store(changed)) != nil
                let found = try #require(
                    try DiskTableFile(directory: copy.afterCrash(loss, using: &generator)).load())
                #expect(found == table || found == changed)
                if isStored { #expect(found == changed) }
                outcomes.insert(found.revision)
            }
        }
        #expect(outcomes == [0, 1])
    }

    @Test("A failure before the new name counts says that the old table is in force, a later one that nobody knows")
    func failures() throws {
        for (operation, isKnown) in [(1, true), (2, true), (3, true), (4, false), (5, false)] {
            let copy = copied()
            copy.crash(after: operation)
            do throws(DiskTableFile.Failure) {
                try DiskTableFile(directory: copy).store(table)
                Issue.record("stored")
            } catch {
                if case .notStored = error { #expect(isKnown) } else { #expect(!isKnown) }
            }
        }
    }

    @Test("Disks: no path twice, no draining of the last one, numbers of those that are gone are used again")
    func changes() throws {
        var table = table
        #expect(throws: StorageError.self) { try table.add("/a", weight: 1) }
        #expect(throws: StorageError.self) { try table.add("/c", weight: 0) }
        #expect(throws: StorageError.self) { try table.drain("/x") }
        try table.drain("/a")
        #expect(table.placement.allSatisfy { $0 == 1 })
        #expect(throws: StorageError.self) { try table.drain("/b") }
        try table.cancelDrain("/a")
        #expect(throws: StorageError.self) { try table.cancelDrain("/a") }
        #expect(table.placement == table.slots)
        table.assign(0..<256, to: 1)
        table.remove(0)
        #expect(table.fault == nil)
        #expect(try table.add("/c", weight: 3) == 0)
        table.setStanding(.retired, of: 0)
        #expect(table.placement.allSatisfy { $0 == 1 })
        // A retired disk comes back as a new one.
        #expect(try table.add("/c", weight: 1) == 0)
        #expect(table.disk(0)?.standing == .serving)
    }

    @Test("Ids of hints name disk and position, and keep the order of each disk")
    func hintIDs() {
        for (disk, segment, offset) in [(0, 1, 64), (3, 77, 1 << 29), (1023, (1 << 27) - 1, (1 << 30) - 8)] {
            let id = HintID(disk: disk, position: UInt64(segment) << 32 | UInt64(offset))
            #expect(HintID(id.rawValue) == id)
        }
        #expect(HintID(disk: 1, position: 8).rawValue > HintID(disk: 0, position: 9 << 32).rawValue)
        #expect(HintID(disk: 1, position: 2 << 32).rawValue > HintID(disk: 1, position: 1 << 32 | 1 << 29).rawValue)
    }

    private func copied() -> SimulatedDirectory {
        var generator = SystemRandomNumberGenerator()
        return directory.afterCrash(.kept, using: &generator)
    }
}
