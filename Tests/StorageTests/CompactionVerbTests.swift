import ClusterState
import Foundation
import Logging
import MessageBus
import Model
import Observability
import Testing

@testable import Storage

@Suite final class CompactionVerbTests {
    private let path = NSTemporaryDirectory() + "compaction-verbs-" + UUID().uuidString
    private let engine: StorageEngine
    private var verbs: NodeCommands { NodeCommands(engine: engine) }

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        var options = StorageEngine.Options(
            node: "storage-1", dataDirectory: path, disks: ["\(path)/disk-1", "\(path)/disk-2"])
        options.segmentSize = 4 << 20
        options.indexMemory = 16 << 20
        engine = try StorageEngine(
            options, metrics: MetricsRegistry(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    deinit {
        engine.stop()
        try? FileManager.default.removeItem(atPath: path)
    }

    private func status() throws -> CompactionReport.Status {
        let json = try #require(try verbs.run("compact-status", []))
        return try ReportCoding.decode(CompactionReport.self, from: json).compactionStatus
    }

    @Test("compact-start frees what was overwritten on all disks; du tells when")
    func start() throws {
        let text = String(repeating: "x", count: 700_000)
        for number in UInt64(1)...40 {
            let blob = BlobPayload(text, id: number)
            let result = try Pending.of {
                engine.commit(name("key \(number % 4)"), .sample(number, blobs: [blob.id]), blob: blob, $0)
            }
            #expect(result.outcome == .accepted)
        }
        #expect(try status().status == "idling")
        #expect(try status().lastCompactionStart == nil)
        _ = try verbs.run("compact-start", ["all", "1000000000"])
        for disk in engine.disks { disk.compactor.awaitIdle() }
        let after = try status()
        #expect(after.status == "idling")
        #expect(after.removedSegments > 0)
        #expect(after.freedBytes == UInt64(after.removedSegments) << 22)
        #expect(after.numOfPendingTargets + after.numOfOngoingTargets == 0)
        #expect(after.totalTargets == after.numOfOutOfTargets)
        let usage = try ReportCoding.decode(DiskUsageReport.self, from: try #require(try verbs.run("du", [])))
        #expect(usage.lastCompactionStart == after.lastCompactionStart)
        #expect(usage.lastCompactionEnd != nil)
        for number in UInt64(37)...40 {
            let answer = try Pending.of { engine.read(name("key \(number % 4)"), withBlob: true, $0) }
            #expect(answer.blob?.id == BlobID(high: 5, low: number))
        }
    }

    @Test("compact-suspend and compact-resume show; wrong arguments are refused")
    func suspendAndRefuse() throws {
        _ = try verbs.run("compact-suspend", [])
        #expect(try status().status == "suspending")
        _ = try verbs.run("compact-resume", [])
        #expect(try status().status == "idling")
        for arguments in [["none"], ["0"], ["all", "fast"], ["all", "1", "2"]] {
            #expect(throws: BusError.self) { try verbs.run("compact-start", arguments) }
        }
    }
}
