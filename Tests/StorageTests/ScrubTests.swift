import Checksums
import Foundation
import MetadataIndex
import Model
import NIOCore
import ObjectLog
import Register
import Testing

@testable import Storage

@Suite struct ScrubTests {
    private let fixture: DiskFixture
    private var disk: DiskReplica { fixture.disk }
    private let segment = "segment-0000000001.log"
    private let blob = BlobID(high: 8, low: 8)
    private let size = 900_000

    /// Two objects with content beside them, then so many chunks that their segment is sealed.
    init() throws {
        fixture = try DiskFixture()
        try fixture.put(name("a"), 1, "content of a")
        try fixture.put(name("b"), 2, "content of b")
        for index in 0..<12 as Range<UInt32> { try putChunk(index) }
        try #require(disk.sealedSegments.map(\.number).contains(1))
    }

    private func chunk(_ index: UInt32) -> ChunkName { ChunkName(blob: blob, index: index) }

    private func putChunk(_ index: UInt32) throws {
        let bytes = ByteBuffer(repeating: UInt8(index), count: size)
        _ = try Pending<Bool>.of {
            disk.putChunk(chunk(index), CheckedBytes(bytes: bytes, checksum: crc32c(bytes)), $0)
        }
    }

    private func scrub() throws -> ScrubFindings {
        var findings = ScrubFindings()
        for (number, _) in disk.sealedSegments {
            findings.add(try #require(try disk.scrub(number) { _ in true }))
        }
        findings.add(try disk.scrubLostSegments())
        return findings
    }

    private func offset(_ position: UInt64) throws -> Int {
        let position = LogPosition(rawValue: position)
        try #require(position.segment == 1)
        return Int(position.offset)
    }

    private func offset(_ key: BlobKey) throws -> Int { try offset(try #require(try disk.index.blob(key)).position) }

    private func offset(_ name: RegisterName) throws -> Int {
        try offset(try #require(try disk.index.register(name)).position)
    }

    private func barrier() throws { _ = try fixture.commit(name("barrier"), .sample(1 << 30)) }

    @Test("A healthy disk: everything is read, nothing found")
    func healthy() throws {
        let findings = try scrub()
        #expect(findings.records >= 8 && findings.bytes > 4 * size)
        #expect(findings == ScrubFindings(bytes: findings.bytes, records: findings.records))
        #expect(disk.damage.count == 0)
    }

    @Test("Wrong bytes of content in force are listed; the scrub stops when it is told to")
    func content() throws {
        fixture.files.damage(segment, at: try offset(BlobKey(chunk(1))) + 5000)
        fixture.files.damage(
            segment, at: try offset(BlobKey(BlobID(high: 5, low: 1))) + 48 + 32 + name("a").indexKey.count + 2)
        #expect(try disk.scrub(1) { _ in false } == nil)
        #expect(disk.damage.count == 0)
        #expect(try scrub().damagedContent == 2)
        let listed = disk.damage.records(of: disk.path)
        #expect(Set(listed.map(\.kind)) == [.chunk, .blob])
        #expect(listed.first { $0.kind == .blob }?.owner == name("a"))
        try putChunk(1)
        #expect(disk.damage.count == 1)
    }

    @Test("A register whose record is bad is written again from the index")
    func register() throws {
        let before = try offset(name("b"))
        fixture.files.damage(segment, at: before + 50)
        let findings = try scrub()
        #expect(findings.rewrittenRegisters == 1 && findings.damagedContent == 0)
        try barrier()
        #expect(disk.damage.count == 0)
        let after = try #require(try disk.index.register(name("b")))
        #expect(after.position > UInt64(1) << 32 | UInt64(before) && after.value.tag == ballot(2))
        #expect(try fixture.read(name("b")).blob != nil)
        #expect(try scrub().rewrittenRegisters == 0)
    }

    @Test("A segment that is gone: its registers are written again, its content is listed")
    func lostSegment() throws {
        try fixture.restart { try $0.remove(segment) }
        let entries = try disk.index.entries(in: UInt64(1) << 32..<UInt64(2) << 32)
        #expect(entries.count >= 6)
        let findings = try scrub()
        // Those older than the loss are in doubt: what the index has of registers may not be the newest.
        #expect(findings.damagedContent >= 5)
        #expect(disk.damage.records(of: disk.path).count { $0.kind != .register } == findings.damagedContent)
    }

    @Test("A record of content whose header is gone is found by the index, with the register that it belongs to")
    func headers() throws {
        fixture.files.damage(segment, at: try offset(BlobKey(BlobID(high: 5, low: 2))) + 9)
        fixture.files.damage(segment, at: try offset(BlobKey(chunk(2))) + 20)
        #expect(try scrub().damagedContent == 2)
        let listed = disk.damage.records(of: disk.path)
        #expect(listed.first { $0.kind == .blob }?.owner == name("b"))
        #expect(listed.contains { $0.key == .content(BlobKey(chunk(2))) })
    }

    @Test("Unreadable garbage is counted and otherwise left alone")
    func garbage() throws {
        let old = try offset(BlobKey(BlobID(high: 5, low: 1)))
        try fixture.put(name("a"), 5, "newer content")
        fixture.files.damage(segment, at: old + 48 + 32 + name("a").indexKey.count + 2)
        let findings = try scrub()
        #expect(findings.damagedGarbage == 1 && findings.damagedContent == 0 && findings.rewrittenRegisters == 0)
        #expect(disk.damage.count == 0)
    }

    @Test("A register in doubt is not written again: its age is all that tells")
    func doubt() throws {
        let position = try #require(try disk.index.register(name("b"))).position
        _ = try disk.index.apply(
            [.doubt(before: position + 8, slots: .all)], checkpoint: disk.index.checkpoint)
        #expect(try disk.reappend(name("b"), at: position) == false)
    }

    @Test("A report of the log names every record and what has become of it")
    func diagnosis() throws {
        fixture.files.damage(segment, at: try offset(BlobKey(chunk(1))) + 5000)
        try fixture.put(name("a"), 5, "newer content")
        let path = fixture.path + "/report.tsv"
        var summary = DiagnosisSummary()
        try DiagnosisWriter(disk: disk, path: path).run {
            summary = $0
            return true
        }
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map {
            $0.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
        }
        #expect(lines[0].joined(separator: "\t") == DiagnosisRow.header)
        #expect(lines.allSatisfy { $0.count == lines[0].count })
        #expect(lines.count { $0[2] == "chunk" } == 12)
        #expect(lines.first { $0[2] == "chunk" && $0[6] == "1" }?.last == "damaged")
        let registers = lines.filter { $0[2] == "register" && $0[5] == "a" }
        #expect(registers.map(\.last) == ["garbage", "live"])
        #expect(registers.last?[3] == name("a").bucket.description)
        #expect(summary.damaged == 1 && summary.live >= 14 && summary.records == lines.count - 1)
    }

    @Test("Keys of any bytes stay in their column")
    func escaping() {
        #expect(DiagnosisRow.escaped(Array("a b\t%é".utf8)) == "a%20b%09%25%c3%a9")
    }
}
