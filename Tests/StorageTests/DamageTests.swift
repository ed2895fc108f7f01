import MetadataIndex
import Model
import NIOCore
import ObjectLog
import Register
import Testing

@testable import Storage

@Suite struct DamageTests {
    private let fixture: DiskFixture
    private var disk: DiskReplica { fixture.disk }
    private let segment = "segment-0000000001.log"
    private let chunk = ChunkName(blob: BlobID(high: 8, low: 8), index: 3)
    private let content = BlobPayload("0123456789", id: 0).content

    init() throws { fixture = try DiskFixture() }

    private func putChunk() throws -> Bool { try Pending<Bool>.of { disk.putChunk(chunk, content, $0) } }

    /// Flips a byte in the middle of the content.
    private func damage(_ key: BlobKey) throws {
        let location = try #require(try disk.index.blob(key))
        let offset = Int(LogPosition(rawValue: location.position).offset)
        fixture.files.damage(segment, at: offset + Int(location.recordSize) - Int(location.size) / 2 - 1)
    }

    private func readChunk() throws -> ByteBuffer? {
        try disk.chunk(chunk, offset: 0, length: 0, probe: false).content?.bytes
    }

    @Test("A damaged chunk is listed and marked until it is brought back, also over a restart")
    func chunkDamage() throws {
        _ = try putChunk()
        try damage(BlobKey(chunk))
        #expect(throws: StorageError.self) { try readChunk() }
        #expect(disk.damage.records(of: disk.path).map(\.kind) == [.chunk])
        #expect(try disk.index.blob(BlobKey(chunk))?.isDamaged == true)
        try fixture.restart()
        #expect(disk.damage.count == 1)
        #expect(throws: StorageError.self) { try readChunk() }
        #expect(try putChunk() == false)
        #expect(disk.damage.count == 0)
        #expect(try readChunk() == content.bytes)
        try fixture.restart()
        #expect(disk.damage.count == 0)
        #expect(try readChunk() == content.bytes)
    }

    @Test("A damaged blob is listed with its register, and healed by it")
    func blobDamage() throws {
        try fixture.put(name("a"), 1, "content of a")
        let blob = BlobPayload("content of a", id: 1)
        try damage(BlobKey(blob.id))
        #expect(try fixture.read(name("a")).blob == nil)
        #expect(disk.damage.records(of: disk.path).map(\.owner) == [name("a")])
        try fixture.restart()
        #expect(disk.damage.records(of: disk.path).map(\.owner) == [name("a")])
        _ = try Pending.of { disk.learn(name("a"), .sample(1, blobs: [blob.id]), blob: blob, $0) }
        _ = try fixture.commit(name("b"), .sample(1 << 30))
        #expect(disk.damage.count == 0)
        #expect(try fixture.read(name("a")).blob?.content == blob.content)
    }

    @Test("Damage of content that a later write has replaced is no longer needed")
    func replaced() throws {
        try fixture.put(name("a"), 1, "content of a")
        try damage(BlobKey(BlobPayload("", id: 1).id))
        _ = try fixture.read(name("a"))
        #expect(disk.damage.count == 1)
        try fixture.put(name("a"), 2, "newer content")
        disk.maintain(flushDistance: .max)
        #expect(disk.damage.count == 0)
        #expect(try disk.index.damagedBlobs(limit: 9).isEmpty)
    }

    @Test("What is known of a copy says nothing about a later one")
    func otherCopy() throws {
        _ = try putChunk()
        let old = try #require(try disk.index.blob(BlobKey(chunk))).position
        try damage(BlobKey(chunk))
        #expect(throws: StorageError.self) { try readChunk() }
        _ = try putChunk()
        disk.noteDamage(.content(BlobKey(chunk), at: old))
        #expect(disk.damage.count == 0)
        #expect(try readChunk() == content.bytes)
    }

    @Test("An index that is made anew finds the damage again")
    func rebuilt() throws {
        _ = try putChunk()
        // More than a block: the log writes its last block as a whole, which would bring the byte back.
        try fixture.put(name("later"), 1, String(repeating: "x", count: 8192))
        try damage(BlobKey(chunk))
        try fixture.restart(losingIndex: true)
        #expect(disk.damage.records(of: disk.path).map(\.kind) == [.chunk])
    }

    @Test(
        "Only errors that speak of the record are damage",
        arguments: [(Int32(5), true), (2, true), (24, false), (23, false), (12, false)])
    func errors(code: Int32, meansDamage: Bool) {
        #expect(ObjectLogError.file(FileError("read", "x", code: code)).meansDamage == meansDamage)
    }
}
