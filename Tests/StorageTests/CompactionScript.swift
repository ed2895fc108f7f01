import Model
import NIOCore
import Register
import TestKit
import Testing

@testable import Storage

/// Random requests to a disk, and what it must have afterwards.
final class CompactionScript {
    private let fixture: DiskFixture
    private var registers: [Int: (counter: UInt64, isDeleted: Bool)] = [:]
    private var chunks: Set<UInt32> = []
    private var dropped: Set<UInt32> = []
    private var counter: UInt64 = 0
    private let blob = BlobID(high: 6, low: 6)
    private static let keys = 12

    init(_ fixture: DiskFixture) { self.fixture = fixture }

    private func text(_ counter: UInt64) -> String { String(repeating: "content \(counter) ", count: 20_000) }

    func write(requests: Int, _ generator: inout SeededGenerator) throws {
        for _ in 0..<requests {
            let key = generator.number(0..<Self.keys)
            switch generator.number(0..<10) {
            case 0..<6: try put(key)
            case 6: try delete(key)
            case 7, 8: try putChunk(UInt32(generator.number(0..<20)))
            default: try drop(UInt32(generator.number(0..<20)))
            }
        }
    }

    /// Always the same: a few segments with all kinds of records, most of them garbage.
    func fill() throws {
        for round in 0..<3 {
            for key in 0..<6 where round < 2 || key < 4 { try put(key) }
            try putChunk(UInt32(round))
            try delete(7 + round)
        }
        try drop(1)
        for key in 0..<4 { try put(key) }
    }

    private func put(_ key: Int) throws {
        counter += 1
        try fixture.put(name("key \(key)"), counter, text(counter))
        registers[key] = (counter, false)
    }

    private func delete(_ key: Int) throws {
        counter += 1
        _ = try fixture.commit(name("key \(key)"), .sample(counter, deleted: true))
        registers[key] = (counter, true)
    }

    private func putChunk(_ index: UInt32) throws {
        guard !dropped.contains(index) else { return }
        let content = BlobPayload(text(UInt64(index)), id: 0).content
        _ = try Pending.of { fixture.disk.putChunk(ChunkName(blob: blob, index: index), content, $0) }
        chunks.insert(index)
    }

    private func drop(_ index: UInt32) throws {
        _ = try Pending.of { fixture.disk.dropChunks(blob, [index], $0) }
        chunks.remove(index)
        dropped.insert(index)
    }

    /// After a restart everything up to the ceiling counts as promised.
    func restarted() { counter = max(counter, fixture.disk.index.ceiling) }

    func check(_ moment: Comment, sourceLocation: SourceLocation = #_sourceLocation) throws {
        for (key, register) in registers {
            let answer = try fixture.read(name("key \(key)"))
            #expect(answer.state?.tag == ballot(register.counter), moment, sourceLocation: sourceLocation)
            let expected = register.isDeleted ? nil : ByteBuffer(string: text(register.counter))
            #expect(answer.blob?.content.bytes == expected, moment, sourceLocation: sourceLocation)
        }
        for index in UInt32(0)..<20 {
            let found = try fixture.disk.content(of: .init(ChunkName(blob: blob, index: index)))
            let expected = chunks.contains(index) ? ByteBuffer(string: text(UInt64(index))) : nil
            #expect(found?.bytes == expected, moment, sourceLocation: sourceLocation)
        }
        #expect(!fixture.disk.index.hasDoubt, moment, sourceLocation: sourceLocation)
    }
}
