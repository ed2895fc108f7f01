import Foundation
import MetadataIndex
import Model
import Testing

@testable import Storage

/// The index is derived: whatever happens to it, the log has everything.
@Suite struct IndexLossTests {
    private let fixture: DiskFixture
    private var index: String { fixture.path + "/index" }

    init() throws {
        fixture = try DiskFixture()
        for number in UInt64(1)...50 { try fixture.put(name("key \(number % 20)"), number, "content \(number)") }
        for number in UInt64(60)...65 { _ = try fixture.commit(name("gone \(number)"), .sample(number, deleted: true)) }
    }

    private func expectEverything(_ comment: Comment) throws {
        for number in UInt64(31)...50 {
            let read = try fixture.read(name("key \(number % 20)"))
            #expect(read.state?.tag == ballot(number), comment)
            #expect(read.blob?.content == BlobPayload("content \(number)", id: number).content, comment)
        }
        #expect(fixture.disk.index.totals.tombstones == 6, comment)
    }

    private func files(_ prefix: String, _ suffix: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: index)
            .filter { $0.hasPrefix(prefix) && $0.hasSuffix(suffix) }.map { index + "/" + $0 }
    }

    @Test("A damaged or lost index is made anew, and nothing is missing")
    func rebuilt() throws {
        let totals = fixture.disk.index.totals
        let segments = fixture.disk.index.segmentTotals
        try fixture.restart { _ in try files("MANIFEST", "").forEach { try FileManager.default.removeItem(atPath: $0) }
        }
        try expectEverything("manifest lost")
        try fixture.restart { _ in try files("", ".sst").forEach { truncate($0, 50) } }
        try expectEverything("tables shortened")
        try fixture.restart { _ in try FileManager.default.removeItem(atPath: index + "/CURRENT") }
        try expectEverything("CURRENT lost")
        try fixture.restart(losingIndex: true)
        try expectEverything("index lost")
        #expect(fixture.disk.index.totals == totals)
        #expect(
            fixture.disk.index.segmentTotals.values.reduce(0) { $0 + $1.liveBytes }
                == segments.values.reduce(0) { $0 + $1.liveBytes })
    }

    @Test("The index of another disk is not used")
    func foreignIndex() throws {
        let other = try DiskFixture()
        try other.put(name("key 1"), 1000, "of another disk")
        other.disk.stop()
        try fixture.restart { _ in
            try FileManager.default.removeItem(atPath: index)
            try FileManager.default.copyItem(atPath: other.path + "/index", toPath: index)
            try? FileManager.default.removeItem(atPath: index + "/LOCK")
        }
        try expectEverything("index of another disk")
    }
}
