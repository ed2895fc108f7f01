import Model
import Register
import Testing
import Wire

@testable import ObjectAccess

@Suite struct KeyVersionsTests {
    private static let now: Int64 = 1_700_000_000_000

    private func object(_ etag: String, beside: Bool = false) -> ObjectRecord {
        ObjectRecord(
            version: 1, modifiedMilliseconds: Self.now, size: 1, etag: etag,
            blobs: [BlobReference(id: BlobID.random().bytes, size: 1, chunkSize: beside ? 0 : 1024)])
    }

    private func put(
        _ versions: inout KeyVersions, _ etag: String, _ mode: VersioningMode, number: UInt64 = 1
    ) throws {
        try versions.put(object(etag), mode, number: number, nowMilliseconds: Self.now)
    }

    @Test("without versions the object is replaced, and nothing else is said about the key")
    func unversioned() throws {
        var versions = try KeyVersions(nil)
        try put(&versions, "1", .unversioned)
        try put(&versions, "2", .unversioned)
        #expect(versions.current?.etag == "2")
        #expect(!versions.hasArchived)
        #expect(versions.current?.revision == 0)
        #expect(!versions.marksDeletes(.unversioned))
        versions.removeOnly()
        #expect(versions.stored == .tombstone)
    }

    @Test("the summary of a large object's manifest tells its own size beside that of the whole")
    func manifest() throws {
        var record = object("1")
        (record.size, record.manifestSize) = (1000, 60)
        let summary = try ListingSummary(decoding: record.stored.summary)
        #expect((summary.size, summary.storedSize, summary.manifest) == (1000, 60, true))
        #expect(try ListingSummary(decoding: object("1").stored.summary).storedSize == 1)
    }

    @Test("with versions the predecessor stays; the newer one has the higher place in the same millisecond")
    func enabled() throws {
        var versions = try KeyVersions(nil)
        try put(&versions, "1", .enabled, number: 1)
        let first = try #require(versions.current)
        try put(&versions, "2", .enabled, number: 2)
        let second = try #require(versions.current)
        #expect(second.place > first.place)
        #expect(versions.noncurrent == 1)
        guard case .pending(_, let entry) = versions.find(first.versionId) else {
            Issue.record("the first version is gone")
            return
        }
        #expect(try ObjectRecord(bytes: entry.record).etag == "1")
        #expect(versions.find("") == .absent)
    }

    @Test("what was put before versioning stays as the null version, until another null version replaces it")
    func nullVersion() throws {
        var versions = try KeyVersions(nil)
        try put(&versions, "null-1", .unversioned)
        try put(&versions, "v1", .enabled, number: 1)
        guard case .pending(let name, _) = versions.find("") else {
            Issue.record("the null version is gone")
            return
        }
        #expect(name.isNull)
        try put(&versions, "null-2", .suspended, number: 2)
        #expect(versions.current?.etag == "null-2")
        #expect(versions.current?.isNull == true)
        #expect(versions.noncurrent == 1)
        #expect(versions.pending.contains { $0.name == name && $0.record.isEmpty })
        try put(&versions, "null-3", .suspended, number: 3)
        #expect(versions.noncurrent == 1)
    }

    @Test("a gateway that has not heard of versioning does not lose versions")
    func staleMode() throws {
        var versions = try KeyVersions(nil)
        try put(&versions, "v1", .enabled, number: 1)
        try put(&versions, "late", .unversioned, number: 2)
        #expect(versions.noncurrent == 1)
        #expect(versions.current?.isNull == true)
        #expect(versions.marksDeletes(.unversioned))
    }

    @Test("a delete marker is a tombstone that stays")
    func marker() throws {
        var versions = try KeyVersions(nil)
        try put(&versions, "v1", .enabled, number: 1)
        let marker = ObjectRecord(version: 1, modifiedMilliseconds: Self.now, kind: .versionDeleteMarker)
        try versions.put(marker, .enabled, number: 2, nowMilliseconds: Self.now)
        #expect(versions.stored.isTombstone)
        #expect(!versions.stored.summary.isEmpty)
        #expect(versions.current?.isDeleteMarker == true)
    }

    @Test("after the last version went a tombstone keeps the revision and may be dropped")
    func lastVersion() throws {
        var versions = try KeyVersions(nil)
        try put(&versions, "v1", .enabled, number: 1)
        let revision = try #require(versions.current?.revision)
        versions.removeCurrent(promoting: nil, nowMilliseconds: Self.now)
        #expect(versions.current == nil)
        #expect(versions.stored.isTombstone)
        #expect(versions.stored.summary.isEmpty)
        #expect(try ObjectRecord(stored: versions.stored).revision > revision)
    }

    @Test("content beside the register stands in the way of archiving, not of replacing")
    func contentBeside() throws {
        var versions = try KeyVersions(nil)
        try versions.put(object("1", beside: true), .unversioned, number: 1, nowMilliseconds: Self.now)
        let before = versions
        #expect(throws: KeyVersions.Obstacle.contentBesideRegister) {
            try versions.put(object("2"), .enabled, number: 2, nowMilliseconds: Self.now)
        }
        #expect(versions == before)
        try versions.put(object("3", beside: true), .unversioned, number: 3, nowMilliseconds: Self.now)
    }

    @Test("too much that is pending must be carried out first")
    func pendingLimit() throws {
        var versions = try KeyVersions(nil)
        for number in 1...UInt64(KeyVersions.pendingMax + 1) {
            try put(&versions, "\(number)", .enabled, number: number)
        }
        #expect(throws: KeyVersions.Obstacle.unsettled) { try put(&versions, "late", .enabled, number: 99) }
        versions.settle(versions.pending)
        #expect(versions.pending.isEmpty)
        #expect(versions.noncurrent == UInt64(KeyVersions.pendingMax))
        try put(&versions, "late", .enabled, number: 99)
    }

    @Test("what was decided anew is not forgotten with what was carried out")
    func settling() throws {
        var versions = try KeyVersions(nil)
        try put(&versions, "v1", .enabled, number: 1)
        let first = try #require(versions.current)
        try put(&versions, "v2", .enabled, number: 2)
        let carriedOut = versions.pending
        var changed = first
        changed.tags = [HeaderField(name: "a", value: "b")]
        try versions.replace(first.name, with: changed, nowMilliseconds: Self.now)
        versions.settle(carriedOut)
        #expect(versions.pending.count == 1)
        #expect(versions.pending.first.map { $0.revision > carriedOut[0].revision } == true)
    }

    @Test("whoever is asked about a version that is replaced for good may refuse")
    func destroying() throws {
        struct Locked: Error {}
        var versions = try KeyVersions(nil)
        try put(&versions, "null", .suspended, number: 1)
        let before = versions
        #expect(throws: Locked.self) {
            try versions.put(object("2"), .suspended, number: 2, nowMilliseconds: Self.now) { _ in throw Locked() }
        }
        #expect(versions == before)
        try versions.put(object("3"), .enabled, number: 3, nowMilliseconds: Self.now) { _ in throw Locked() }
    }
}
