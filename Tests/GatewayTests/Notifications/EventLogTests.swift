import ClusterState
import Foundation
import Testing

@testable import Gateway

@Suite struct EventLogTests {
    private let directory = NSTemporaryDirectory() + "events-\(UUID().uuidString)"

    private func bytes(_ text: String) -> [UInt8] { Array(text.utf8) }

    /// Everything that waits, taken out.
    private func drain(_ log: EventLog) throws -> [String] {
        var events: [String] = []
        while let (number, event) = try log.first() {
            events.append(String(decoding: event, as: UTF8.self))
            log.remove(through: number)
        }
        return events
    }

    private func segments() throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: directory).filter { $0.hasSuffix(".events") }.sorted()
    }

    private func cleanUp() { try? FileManager.default.removeItem(atPath: directory) }

    @Test("what was appended comes out in order, also after it was opened again")
    func order() throws {
        defer { cleanUp() }
        do {
            let log = try EventLog(directory: directory)
            try log.append([bytes("a"), bytes(""), bytes("c")])
            try log.append([bytes("d")])
            #expect(log.count == 4)
            #expect(try log.first()?.number == 0)
            log.remove(through: 0)
        }
        let log = try EventLog(directory: directory)
        #expect(log.count == 3)
        #expect(try drain(log) == ["", "c", "d"])
        #expect(log.count == 0)
        try log.append([bytes("e")])
        #expect(try log.first()?.number == 4)
    }

    @Test("a write that was torn at any byte loses only itself")
    func torn() throws {
        defer { cleanUp() }
        do {
            let log = try EventLog(directory: directory)
            try log.append([bytes("first"), bytes("second")])
        }
        let path = directory + "/" + (try #require(segments().first))
        let whole = try #require(try DurableFile.read(path))
        let firstEnd = 8 + 5
        for size in 0..<whole.count {
            try Data(whole[..<size]).write(to: URL(filePath: path))
            let log = try EventLog(directory: directory)
            #expect(log.count == (size < firstEnd ? 0 : 1), "cut at \(size)")
            try log.append([bytes("next")])
            let again = try EventLog(directory: directory)
            #expect(try drain(again) == (size < firstEnd ? ["next"] : ["first", "next"]), "cut at \(size)")
            try? FileManager.default.removeItem(atPath: directory)
            try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        }
    }

    @Test("a flipped bit is never delivered")
    func flipped() throws {
        defer { cleanUp() }
        do {
            let log = try EventLog(directory: directory)
            try log.append([bytes("first"), bytes("second")])
        }
        let path = directory + "/" + (try #require(segments().first))
        var broken = try #require(try DurableFile.read(path))
        broken[broken.count - 1] ^= 1
        try Data(broken).write(to: URL(filePath: path))
        #expect(try drain(EventLog(directory: directory)) == ["first"])
    }

    @Test("without its position everything that is still there is delivered again")
    func position() throws {
        defer { cleanUp() }
        do {
            let log = try EventLog(directory: directory)
            try log.append([bytes("a"), bytes("b")])
            log.remove(through: 0)
        }
        try Data("nonsense".utf8).write(to: URL(filePath: directory + "/position"))
        #expect(try drain(EventLog(directory: directory)) == ["a", "b"])
    }

    @Test("segments are deleted when they are done with, and numbers go on")
    func segmented() throws {
        defer { cleanUp() }
        let log = try EventLog(directory: directory, segmentSize: 100)
        for number in 0..<50 { try log.append([bytes("event \(number)")]) }
        #expect(try segments().count > 5)
        let bytes = log.bytes
        for number in 0..<25 { log.remove(through: UInt64(number)) }
        #expect(log.bytes < bytes)
        let again = try EventLog(directory: directory, segmentSize: 100)
        #expect(again.count == 25)
        #expect(try drain(again) == (25..<50).map { "event \($0)" })
        #expect(try segments().count <= 1)
        try again.append([self.bytes("last")])
        #expect(try again.first()?.number == 50)
    }

    @Test("a damaged segment in the middle is passed over")
    func gap() throws {
        defer { cleanUp() }
        do {
            let log = try EventLog(directory: directory, segmentSize: 20)
            for number in 0..<4 { try log.append([bytes("long event \(number)")]) }
        }
        let names = try segments()
        #expect(names.count == 4)
        try Data([1, 2, 3]).write(to: URL(filePath: directory + "/" + names[1]))
        let log = try EventLog(directory: directory, segmentSize: 20)
        #expect(log.damaged == 1)
        #expect(try drain(log) == ["long event 0", "long event 2", "long event 3"])
    }
}
