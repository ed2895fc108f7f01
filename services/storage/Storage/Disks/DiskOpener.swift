import Foundation
import Logging
import MetadataIndex
import ObjectLog

/// Opens the disks of a node: the same way at its start and later.
struct DiskOpener: Sendable {
    let options: StorageEngine.Options
    let memory: IndexMemory
    let staged: StagedBlobs
    let damage: DamageList
    let metrics: StorageMetrics
    let logger: Logger
    let onHints: @Sendable (Int) -> Void

    /// Where the log of a disk lives.
    func files(_ path: String) throws -> any LogDirectory { try options.logDirectory(path + "/log") }

    func hasLog(_ path: String) throws -> Bool {
        guard options.isSimulated || FileManager.default.fileExists(atPath: path + "/log") else { return false }
        return try files(path).names().contains { $0.hasPrefix("segment-") || $0 == "owner" }
    }

    /// GiB that a disk could hold, at least 1: its share of the slots unless a weight was given.
    func capacity(_ path: String) -> Int {
        var existing = path
        while !FileManager.default.fileExists(atPath: existing), existing.count > 1 {
            existing = (existing as NSString).deletingLastPathComponent
        }
        let attributes = try? FileManager.default.attributesOfFileSystem(forPath: existing)
        let bytes = (attributes?[.systemFreeSize] as? NSNumber)?.intValue ?? 0
        return min(max(1, bytes >> 30), SlotPlacement.weights.upperBound)
    }

    /// Ready to serve, but for what disks.json must remember first (``DiskTable/noteService(of:id:)``).
    func open(_ disk: DiskTable.Disk, slots: SlotSet, rebuildingIndex: Bool = false) throws -> DiskReplica {
        if disk.id != nil, disk.standing != .replacing, try !hasLog(disk.path) {
            throw StorageError.unavailable(
                "its log is gone: a disk that was wiped or replaced must not vote for what it has forgotten; "
                    + "`disk replace` puts the empty disk in its place")
        }
        if rebuildingIndex { try? FileManager.default.removeItem(atPath: disk.path + "/index") }
        let replica = try DiskReplica.open(
            path: disk.path,
            options: DiskOptions(
                node: options.node, segmentSize: options.segmentSize, memory: memory,
                flushDistance: options.flushDistance, compaction: options.compaction, reserve: options.reserve),
            files: try files(disk.path), staged: staged, damage: damage, metrics: metrics, logger: logger,
            onHints: onHints)
        do {
            if let id = disk.id, disk.standing != .replacing, id != replica.id {
                throw StorageError.unavailable("it has the log of disk \(replica.id), not of \(id)")
            }
            if disk.standing == .replacing { try replica.distrust(slots) }
            replica.own(slots)
            if options.compaction.isAutomatic { replica.compactor.launch(replica) }
            return replica
        } catch {
            replica.stop()
            throw error
        }
    }
}

extension DiskReplica {
    /// Of its log, in hex digits.
    var id: String { "\(log.owner.disk)" }
}
