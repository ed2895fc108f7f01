import Foundation
import Logging
import MetadataIndex
import Model
import ObjectLog
import Observability
import Testing

@testable import Storage

/// `--rebuild-index` on a real directory.
@Suite struct IndexRebuildTests {
    private let path = NSTemporaryDirectory() + "rebuild-" + UUID().uuidString
    private let options = DiskOptions(
        node: "storage-1", segmentSize: 4 << 20, memory: IndexMemory(limit: 16 << 20))
    private let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })

    private func openDisk() throws -> DiskReplica {
        try DiskReplica.open(
            path: path, options: options, staged: StagedBlobs(sizeMax: 8 << 20),
            metrics: StorageMetrics(MetricsRegistry()), logger: logger)
    }

    /// Three segments of objects, half of them overwritten, some deleted.
    private func fill(_ disk: DiskReplica) throws {
        let content = String(repeating: "x", count: 30_000)
        for number in UInt64(1)...300 {
            let blob = BlobPayload("\(number) " + content, id: number)
            let state = ReplicaState.sample(number, deleted: number % 50 == 0, blobs: number % 50 == 0 ? [] : [blob.id])
            _ = try Pending.of {
                disk.commit(name("key \(number % 150)"), state, blob: state.record!.blobs.isEmpty ? nil : blob, $0)
            }
        }
    }

    private func registers(_ index: MetadataIndex) throws -> [IndexedRegister] {
        try (0..<150).compactMap { try index.register(name("key \($0)")) }
    }

    @Test("The rebuilt index is the one that was lost, with progress on the way, and needs no replay")
    func rebuild() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        var disk: DiskReplica? = try openDisk()
        try fill(disk!)
        let known = try registers(disk!.index)
        let totals = disk!.index.totals
        disk!.stop()
        disk = nil
        #expect(known.count == 150)
        try Data("nonsense".utf8).write(to: URL(fileURLWithPath: path + "/index/CURRENT"))

        var progress: [RebuildProgress] = []
        let summary = try IndexRebuild(path: path, options: options, logger: logger).run { progress.append($0) }
        #expect(summary.totals == totals)
        #expect(summary.records == progress.count)
        #expect(summary.records >= 594)
        #expect(summary.segments >= 3)
        #expect(summary.doubtBefore == nil)
        #expect(zip(progress, progress.dropFirst()).allSatisfy { $0.bytes <= $1.bytes })
        #expect(progress.last?.segmentsDone ?? 0 >= 2)
        #expect(progress.last!.remaining(after: 10) < progress[10].remaining(after: 10))

        let reopened = try openDisk()
        defer { reopened.stop() }
        #expect(try registers(reopened.index) == known)
        #expect(reopened.index.totals == totals)
    }

    @Test("A log that has lost what the old index knew of is doubted, not taken for whole")
    func lostEnd() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        var disk: DiskReplica? = try openDisk()
        try fill(disk!)
        disk!.stop()
        disk = nil
        let log = URL(fileURLWithPath: path + "/log")
        let last = try FileManager.default.contentsOfDirectory(atPath: log.path)
            .filter { $0.hasPrefix("segment-") }.sorted()[2]
        let file = try FileHandle(forWritingTo: log.appending(path: last))
        try file.seek(toOffset: 64)
        try file.write(contentsOf: Data(count: (4 << 20) - 64))
        try file.close()
        let summary = try IndexRebuild(path: path, options: options, logger: logger).run { _ in }
        #expect(summary.doubtBefore != nil)
    }

    @Test("A disk in use, or one without a log, is left alone")
    func refused() throws {
        defer { try? FileManager.default.removeItem(atPath: path) }
        let rebuild = IndexRebuild(path: path, options: options, logger: logger)
        #expect(throws: StorageError.notFound("\(path) has no object log")) { try rebuild.run { _ in } }
        #expect(!FileManager.default.fileExists(atPath: path))
        let disk = try openDisk()
        defer { disk.stop() }
        try fill(disk)
        let totals = disk.index.totals
        #expect(throws: ObjectLogError.locked(path + "/log")) { try rebuild.run { _ in } }
        #expect(disk.index.totals == totals)
        #expect(try registers(disk.index).count == 150)
    }
}
