import Foundation
import Logging
import Model
import ObjectLog
import Observability
import TestKit
import Testing

@testable import Storage

/// The file system of the index is full, by whatever: the log has room reserved, so this is somebody else's doing.
@Suite(.enabled(if: SmallFileSystem.isPermitted, "needs the right to mount a file system"))
struct FullIndexTests {
    private func commit(_ number: UInt64, in engine: StorageEngine) throws {
        let record = ReplicaRecord(bytes: (0..<2000).map { UInt8(truncatingIfNeeded: number &* 31 &+ $0 &* $0) })
        let state = ReplicaState(
            tag: ballot(number), sequence: number, recentOperations: [OperationID(high: 3, low: number)], record: record
        )
        let result = try Pending.of { engine.commit(name("key \(number)"), state, $0) }
        #expect(result.outcome == .accepted)
    }

    @Test(
        "A disk whose index finds no room stops writing, serves reads, and goes on without a restart when there is some"
    )
    func recovers() throws {
        let disk = try SmallFileSystem(mebibytes: 48)
        let (logs, table) = (SimulatedDirectory(), SimulatedDirectory())
        var options = StorageEngine.Options(node: "storage-1", dataDirectory: disk.path, disks: [disk.path + "/disk-1"])
        options.indexMemory = 16 << 20
        options.isSimulated = true
        options.logDirectory = { path in path.hasSuffix("/log") ? logs : table }
        let engine = try StorageEngine(
            options, metrics: MetricsRegistry(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
        defer { engine.stop() }
        try commit(1, in: engine)
        disk.fill()
        var failure: (any Error)?
        var last = UInt64(1)
        while failure == nil, last < 100_000 {
            do {
                try commit(last + 1, in: engine)
                last += 1
            } catch { failure = error }
        }
        #expect("\(try #require(failure))".contains("No space left on device"))
        let read = try Pending.of { engine.read(name("key \(last)"), $0) }
        #expect(read.state?.tag == ballot(last))
        engine.maintain()
        #expect(throws: StorageError.self) { try commit(last + 2, in: engine) }

        disk.free()
        engine.maintain()
        engine.upkeep.settle()
        // The record whose commit failed is in the log, and counts now.
        for number in [1, last, last + 1] {
            #expect(try Pending.of { engine.read(name("key \(number)"), $0) }.state?.tag == ballot(number))
        }
        // Above the ceiling: whatever was promised before counts as promised.
        try commit(1 << 30, in: engine)
    }
}
