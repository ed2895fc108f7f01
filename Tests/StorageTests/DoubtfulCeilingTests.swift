import Foundation
import MetadataIndex
import Testing

@testable import Storage

@Suite struct DoubtfulCeilingTests {
    @Test("where records were lost, the ceiling is taken to be far higher than what is left says")
    func lostRecords() throws {
        let path = FileManager.default.temporaryDirectory.path + "/doubtful-ceiling-\(UUID())"
        defer { try? FileManager.default.removeItem(atPath: path) }
        let index = try MetadataIndex(path: path, memory: IndexMemory(limit: 16 << 20))
        try index.apply([.ceiling(100)], checkpoint: 1)
        #expect(DiskReplica.ceiling(of: index) == 100)
        try index.apply([.doubt(before: 1, slots: .all)], checkpoint: 2)
        #expect(DiskReplica.ceiling(of: index) == 100 + (1 << 40))
    }
}
