import Foundation
import Logging
import Model
import Observability
import Testing

@testable import Storage

/// A disk that has lost what it promised and accepted must not vote.
@Suite struct ReplacedDiskTests {
    private let directory = FileManager.default.temporaryDirectory.path + "/replaced-disk-\(UUID())"

    /// Starts and stops the node; says which of its disks were in service.
    private func usableDisks() throws -> [Bool] {
        var options = StorageEngine.Options(
            node: "storage-1", dataDirectory: directory, disks: [directory + "/disk-1", directory + "/disk-2"])
        options.segmentSize = 1 << 20
        options.indexMemory = 16 << 20
        let engine = try StorageEngine(options, metrics: MetricsRegistry(), logger: Logger(label: "test"))
        defer { engine.stop() }
        return engine.slots.map { (try? $0.replica.get()) != nil }
    }

    @Test("a disk without a log is new at the first start and out of service ever after")
    func wiped() throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(atPath: directory) }
        #expect(try usableDisks() == [true, true])
        // Nothing was ever written: still the same disks.
        #expect(try usableDisks() == [true, true])
        try FileManager.default.removeItem(atPath: directory + "/disk-2")
        for _ in 0..<2 { #expect(try usableDisks() == [true, false]) }
    }
}
