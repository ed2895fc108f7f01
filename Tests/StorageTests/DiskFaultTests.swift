import Model
import NIOCore
import ObjectLog
import Register
import Testing

@testable import Storage

@Suite struct DiskFaultTests {
    private let fixture: DiskFixture
    private var disk: DiskReplica { fixture.disk }
    private let segment = "segment-0000000001.log"

    init() throws { fixture = try DiskFixture() }

    /// Where the log has a register's record.
    private func offset(_ name: RegisterName) throws -> Int {
        Int(LogPosition(rawValue: try #require(try disk.index.register(name)).position).offset)
    }

    @Test("Everything acknowledged is there after a power cut, with the index or without it")
    func powerCut() throws {
        for number in UInt64(1)...50 { try fixture.put(name("key \(number)"), number, "content \(number)") }
        try fixture.put(name("key 7"), 51, "newer")
        let totals = disk.index.totals
        for losingIndex in [false, true] {
            try fixture.restart(losingIndex: losingIndex)
            #expect(disk.index.totals == totals)
            for number in UInt64(1)...50 {
                let answer = try fixture.read(name("key \(number)"))
                let text = number == 7 ? "newer" : "content \(number)"
                #expect(answer.blob?.content.bytes == ByteBuffer(string: text))
            }
        }
    }

    @Test("After a failed sync waiting writes fail, later ones are refused, what is durable can be read")
    func failedSync() throws {
        try fixture.put(name("old"), 1)
        fixture.files.failSyncs()
        #expect(throws: StorageError.self) { try fixture.commit(name("new"), .sample(2)) }
        #expect(throws: StorageError.self) { try fixture.commit(name("newer"), .sample(3)) }
        #expect(throws: StorageError.self) { try fixture.stage(name("old"), 9) }
        #expect(try fixture.read(name("old")).state == .sample(1))
        // The lost state is visible to nobody.
        if let answer = try? fixture.read(name("new")) { #expect(answer.state == nil) }
    }

    @Test("A full disk refuses writes with a clear error, serves reads, and goes on when there is room")
    func fullDisk() throws {
        try fixture.put(name("old"), 1)
        fixture.files.setCapacity(0)
        let big = String(repeating: "x", count: 900_000)
        var failure: StorageError?
        for number in UInt64(2)..<20 where failure == nil {
            let blob = BlobPayload(big, id: number)
            do { _ = try fixture.commit(name("key \(number)"), .sample(number, blobs: [blob.id]), blob: blob) } catch {
                failure = error as? StorageError
            }
        }
        #expect(failure == .diskFull)
        #expect(try fixture.read(name("old")).state == .sample(1))
        fixture.files.setCapacity(.max)
        #expect(try fixture.commit(name("later"), .sample(30)).outcome == .accepted)
    }

    @Test("Damaged content is not served, its register still votes, and content that is brought back heals it")
    func damagedBlob() throws {
        try fixture.put(name("a"), 1, "content of a")
        let position = try #require(try disk.index.blob(.init(BlobID(high: 5, low: 1)))).position
        fixture.files.damage(
            segment, at: Int(LogPosition(rawValue: position).offset) + 48 + 16 + 16 + name("a").indexKey.count + 3)
        let answer = try fixture.read(name("a"))
        #expect(answer.state?.tag == ballot(1))
        #expect(answer.blob == nil)
        let blob = BlobPayload("content of a", id: 1)
        let learned = try Pending.of { disk.learn(name("a"), .sample(1, blobs: [blob.id]), blob: blob, $0) }
        #expect(learned == .known)
        try fixture.restart()
        #expect(try fixture.read(name("a")).blob?.content == blob.content)
    }

    @Test("A chunk is stored once, read in parts, and neither served nor called absent when it is damaged")
    func chunks() throws {
        let chunk = ChunkName(blob: BlobID(high: 8, low: 8), index: 3)
        let content = BlobPayload("0123456789", id: 0).content
        let put = { try Pending<Bool>.of { self.disk.putChunk(chunk, content, $0) } }
        #expect(try put() == false)
        #expect(try put() == true)
        #expect(try disk.chunk(chunk, offset: 0, length: 0, probe: false).content == content)
        let part = try disk.chunk(chunk, offset: 3, length: 4, probe: false)
        #expect(part.content?.bytes == ByteBuffer(string: "3456"))
        #expect(part.size == 10)
        #expect(try disk.chunk(chunk, offset: 0, length: 0, probe: true).content == nil)
        #expect(throws: StorageError.self) { try disk.chunk(chunk, offset: 8, length: 3, probe: false) }
        #expect(throws: StorageError.notFound("no chunk 4 of \(chunk.blob)")) {
            try disk.chunk(ChunkName(blob: chunk.blob, index: 4), offset: 0, length: 0, probe: false)
        }
        let position = try #require(try disk.index.blob(.init(chunk))).position
        fixture.files.damage(segment, at: Int(LogPosition(rawValue: position).offset) + 48 + 28 + 3)
        for _ in 0..<2 {
            do {
                _ = try disk.chunk(chunk, offset: 0, length: 0, probe: false)
                Issue.record("damaged bytes were served")
            } catch { #expect(StorageError(error).status == .abstained) }
        }
        #expect(try put() == false)
        #expect(try disk.chunk(chunk, offset: 0, length: 0, probe: false).content == content)
    }

    @Test("When records were lost, older keys are not voted on until a newer decided state is learned")
    func lostRecords() throws {
        try fixture.put(name("a"), 1)
        try fixture.put(name("b"), 2)
        try fixture.put(name("c"), 3)
        let lost = try offset(name("b"))
        try fixture.restart(losingIndex: true) { $0.damage(segment, at: lost + 20) }
        for key in ["a", "b", "never written"] {
            #expect(throws: StorageError.self) { try fixture.read(name(key)) }
            #expect(throws: StorageError.self) { try fixture.stage(name(key), 1 << 40) }
        }
        // Among what was lost may have been ceilings: nothing is taken before somebody knows how high they can have been.
        #expect(throws: StorageError.self) {
            try Pending.of { disk.learn(name("b"), .sample(1 << 42), blob: nil, $0) }
        }
        try disk.fence(upTo: 1 << 41, bounding: disk.doubts)
        let early = try Pending.of { disk.learn(name("b"), .sample(1 << 41), blob: nil, $0) }
        #expect(early == .tooOld(counter: 1 << 41))
        let learned = try Pending.of { disk.learn(name("b"), .sample(1 << 42), blob: nil, $0) }
        #expect(learned == .learned)
        #expect(try fixture.read(name("b")).state == .sample(1 << 42))
        // It is remembered, even by an index that is made anew.
        try fixture.restart(losingIndex: true)
        #expect(throws: StorageError.self) { try fixture.read(name("a")) }
        #expect(try fixture.read(name("b")).state == .sample(1 << 42))
    }
}
