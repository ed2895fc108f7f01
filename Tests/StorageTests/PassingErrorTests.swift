import Glibc
import MetadataIndex
import Model
import NIOCore
import ObjectLog
import Testing

@testable import Storage

/// Errors of the device, which may pass.
@Suite struct PassingErrorTests {
    private let fixture: DiskFixture
    private var disk: DiskReplica { fixture.disk }
    private let chunk = ChunkName(blob: BlobID(high: 8, low: 8), index: 3)
    private let content = BlobPayload("0123456789", id: 0).content

    init() throws {
        fixture = try DiskFixture()
        _ = try Pending<Bool>.of { fixture.disk.putChunk(chunk, content, $0) }
    }

    private func read() throws -> ByteBuffer? {
        try disk.chunk(chunk, offset: 0, length: 0, probe: false).content?.bytes
    }

    @Test("Content behind an error that passes is no damage")
    func passes() throws {
        fixture.files.fail(.read, with: EIO)
        #expect(throws: StorageError.self) { try read() }
        #expect(disk.damage.count == 0)
        fixture.files.fail(.read, with: nil)
        #expect(try read() == content.bytes)
        disk.maintain(flushDistance: .max)
        #expect(disk.damage.count == 0)
        #expect(try disk.index.blob(BlobKey(chunk))?.isDamaged == false)
    }

    @Test("Content behind an error that stays is damaged until it is brought back")
    func stays() throws {
        fixture.files.fail(.read, with: EIO)
        #expect(throws: StorageError.self) { try read() }
        disk.maintain(flushDistance: .max)
        #expect(disk.damage.records(of: disk.path).map(\.key) == [.content(BlobKey(chunk))])
        fixture.files.fail(.read, with: nil)
        #expect(throws: StorageError.self) { try read() }
        #expect(try Pending<Bool>.of { disk.putChunk(chunk, content, $0) } == false)
        #expect(try read() == content.bytes)
        #expect(disk.damage.count == 0)
    }

    @Test("An error that says nothing of the record keeps it in question")
    func unknown() throws {
        fixture.files.fail(.read, with: EIO)
        #expect(throws: StorageError.self) { try read() }
        fixture.files.fail(.read, with: EMFILE)
        disk.maintain(flushDistance: .max)
        #expect(disk.damage.count == 0 && disk.suspects.withLock { $0.count } == 1)
        fixture.files.fail(.read, with: nil)
        disk.maintain(flushDistance: .max)
        #expect(disk.damage.count == 0 && disk.suspects.withLock { $0.isEmpty })
    }
}
