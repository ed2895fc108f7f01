import Foundation
import Model
import ObjectLog
import Register
import Testing

@testable import Storage

/// A disk that has lost records of unknown keys, from the loss to the vote.
@Suite struct LostMemoryTests {
    private let fixture: DiskFixture
    private var disk: DiskReplica { fixture.disk }

    init() throws {
        fixture = try DiskFixture()
        for (number, key) in ["a", "b", "c"].enumerated() { try fixture.put(name(key), UInt64(number) + 1) }
        let position = try #require(try fixture.disk.index.register(name("b"))).position
        let offset = Int(LogPosition(rawValue: position).offset)
        try fixture.restart(losingIndex: true) { $0.damage("segment-0000000001.log", at: offset + 20) }
    }

    private func learn(_ key: String, _ counter: UInt64) throws -> LearnResult {
        try Pending.of { disk.learn(name(key), .sample(counter), blob: nil, $0) }
    }

    @Test("It tells its loss, is bound by a fence that names it, and by no other")
    func bound() throws {
        let doubt = try #require(disk.doubts.first)
        #expect(disk.doubts.count == 1 && doubt.bound == 0 && doubt.slots == .all && doubt.path == disk.path)
        try disk.fence(upTo: 1000)
        var other = doubt
        other.position += 1
        try disk.fence(upTo: 1000, bounding: [other])
        #expect(disk.doubts.first?.bound == 0)
        try disk.fence(upTo: 1000, bounding: [doubt])
        #expect(disk.doubts.first?.bound == 1000)
        // The bound is not remembered, the fence is.
        try fixture.restart()
        #expect(disk.doubts.first?.bound == 0 && disk.index.ceiling >= 1000)
    }

    @Test("Taught and trusted, it votes again, after a restart and by an index made anew too")
    func trusted() throws {
        let bounding = disk.doubts
        try disk.fence(upTo: 1000, bounding: bounding)
        for (number, key) in ["a", "b", "c"].enumerated() {
            #expect(try learn(key, 2000 + UInt64(number)) == .learned)
        }
        var doubt = try #require(disk.doubts.first)
        #expect(try disk.trust(doubt))
        #expect(disk.doubts.isEmpty)
        #expect(try !disk.trust(doubt))
        for losingIndex in [false, true] {
            #expect(try fixture.read(name("b")).state == .sample(2001))
            #expect(try fixture.read(name("never written")).state == nil)
            #expect(try fixture.stage(name("never written"), 1000).promised == false)
            try fixture.restart(losingIndex: losingIndex)
            #expect(disk.doubts.isEmpty)
        }
        doubt.bound = 0
        #expect(try !disk.trust(doubt))
    }

    @Test("It is trusted only for the loss that it has, and behind its fence")
    func stale() throws {
        var doubt = try #require(disk.doubts.first)
        doubt.bound = 1 << 50
        #expect(try !disk.trust(doubt))
        try disk.fence(upTo: 1000, bounding: disk.doubts)
        doubt.bound = 1000
        doubt.position += 1
        #expect(try !disk.trust(doubt))
        try disk.distrust(.all)
        let second = try #require(disk.doubts.first)
        #expect(second.bound == 0)
        doubt.position -= 1
        #expect(try !disk.trust(doubt))
        #expect(disk.doubts == [second])
    }

    @Test("A commit above the bound gives a key its vote back")
    func commit() throws {
        #expect(throws: StorageError.self) { try fixture.commit(name("b"), .sample(1 << 31)) }
        try disk.fence(upTo: 1 << 30, bounding: disk.doubts)
        #expect(throws: StorageError.self) { try fixture.commit(name("b"), .sample(1 << 30)) }
        #expect(try fixture.commit(name("b"), .sample(1 << 31)).outcome == .accepted)
        #expect(try fixture.read(name("b")).state == .sample(1 << 31))
        #expect(throws: StorageError.self) { try fixture.read(name("c")) }
    }

    @Test("A fence comes behind everything that was accepted before, durably")
    func fence() throws {
        let other = try DiskFixture()
        for number in UInt64(1)...20 { other.disk.commit(name("k\(number)"), .sample(number), blob: nil) { _ in } }
        try other.disk.fence(upTo: 500)
        for number in UInt64(1)...20 { #expect(try other.disk.index.register(name("k\(number)")) != nil) }
        #expect(try other.commit(name("late"), .sample(499)).outcome == .refused)
        try other.restart()
        #expect(try other.commit(name("late"), .sample(499)).outcome == .refused)
        #expect(throws: StorageError.self) { try other.disk.fence(upTo: .max) }
    }

    @Test("A counter that was noted is known after a restart; a damaged note is an error")
    func noted() throws {
        let path = FileManager.default.temporaryDirectory.path + "/noted-\(UUID())"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let counter = try NotedCounter(path: path)
        #expect(counter.value == 0)
        try counter.raise(to: 1 << 41)
        try counter.raise(to: 7)
        #expect(try NotedCounter(path: path).value == 1 << 41)
        try Data("?".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: StorageError.self) { try NotedCounter(path: path) }
    }
}
