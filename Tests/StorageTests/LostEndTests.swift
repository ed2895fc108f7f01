import Foundation
import Model
import ObjectLog
import Testing

@testable import Storage

/// Records at the end of the log are gone that the disk had acknowledged.
@Suite struct LostEndTests {
    private let fixture: DiskFixture
    private var disk: DiskReplica { fixture.disk }
    private let segment = "segment-0000000001.log"

    init() throws {
        fixture = try DiskFixture()
        for (number, key) in ["a", "b", "c"].enumerated() { try fixture.put(name(key), UInt64(number) + 1) }
    }

    private func restart(losingIndex: Bool, destroyingFrom key: String) throws {
        let position = try #require(try disk.index.register(name(key))).position
        let offset = Int(LogPosition(rawValue: position).offset)
        try fixture.restart(losingIndex: losingIndex) {
            $0.scribble([UInt8](repeating: 0, count: (4 << 20) - offset), on: segment, at: offset)
        }
    }

    @Test("The disk does not vote, with the index or without it", arguments: [false, true])
    func doubt(losingIndex: Bool) throws {
        try restart(losingIndex: losingIndex, destroyingFrom: "b")
        #expect(disk.doubts.count == 1)
        for key in ["a", "b", "c", "never written"] {
            #expect(throws: StorageError.self) { try fixture.read(name(key)) }
        }
        // The loss is remembered: the next start finds it in the log, and no second one.
        let doubt = disk.doubts
        try fixture.restart(losingIndex: true)
        #expect(disk.doubts == doubt)
    }

    @Test("Fenced, taught and trusted it votes again, and nothing of the loss is left")
    func healed() throws {
        try restart(losingIndex: true, destroyingFrom: "b")
        try disk.fence(upTo: 1000, bounding: disk.doubts)
        for (number, key) in ["a", "b", "c"].enumerated() {
            let state = ReplicaState.sample(2000 + UInt64(number))
            #expect(try Pending.of { disk.learn(name(key), state, blob: nil, $0) } == .learned)
        }
        #expect(try disk.trust(try #require(disk.doubts.first)))
        for losingIndex in [false, true] {
            try fixture.restart(losingIndex: losingIndex)
            #expect(disk.doubts.isEmpty)
            #expect(try fixture.read(name("c")).state == .sample(2002))
            #expect(try fixture.read(name("never written")).state == nil)
        }
    }

    @Test("The death of the process, an index that was deleted, or both, are no loss")
    func whole() throws {
        for (number, losingIndex) in [true, false, true].enumerated() {
            try fixture.restart(losingIndex: losingIndex)
            #expect(disk.doubts.isEmpty)
            #expect(try fixture.read(name("c")).state == .sample(3))
            try fixture.put(name("d"), UInt64(number + 1) << 40)
        }
    }

    @Test("Without the mark of the end nobody knows whether the log is whole")
    func markLost() throws {
        try fixture.restart { try $0.remove("end") }
        #expect(disk.doubts.count == 1)
        #expect(throws: StorageError.self) { try fixture.read(name("a")) }
        try fixture.restart()
        #expect(disk.doubts.count == 1)
    }
}
