import ClusterState
import MetadataIndex

extension StorageEngine {
    /// Begins to compact, on all disks or on those with the most garbage. `rate`: bytes a second on each; nil: as set.
    public func startCompaction(disks count: Int? = nil, rate: Int? = nil) throws(StorageError) {
        let usable = disks.filter { $0.failure == nil }
        guard !usable.isEmpty else { throw .unavailable("no disk takes writes") }
        func garbage(_ disk: DiskReplica) -> UInt64 {
            disk.index.segmentTotals.values.reduce(0) { $0 + $1.garbageBytes }
        }
        let worst = usable.sorted { garbage($1) < garbage($0) }
        for disk in worst.prefix(count ?? worst.count) { disk.compactor.start(disk, rate: rate) }
    }

    /// Takes effect at once, in the middle of a segment too.
    public func suspendCompaction() {
        for disk in disks { disk.compactor.suspend() }
    }

    public func resumeCompaction() {
        for disk in disks { disk.compactor.resume() }
    }

    /// What compaction does and has done.
    public var compactionReport: CompactionReport {
        let disks = disks.map { CompactionReport.Disk(path: $0.path, $0.compactor.status(of: $0)) }
        func sum(_ value: (CompactionReport.Disk) -> Int) -> Int { disks.reduce(0) { $0 + value($1) } }
        let activity = ["running", "suspending"].first { state in disks.contains { $0.status == state } }
        return CompactionReport(
            compactionStatus: CompactionReport.Status(
                status: activity ?? "idling",
                lastCompactionStart: disks.compactMap(\.lastCompactionStart).max(),
                lastCompactionEnd: activity == "running" ? nil : disks.compactMap(\.lastCompactionEnd).max(),
                totalTargets: sum(\.totalTargets), numOfPendingTargets: sum(\.numOfPendingTargets),
                numOfOngoingTargets: sum(\.numOfOngoingTargets), numOfOutOfTargets: sum(\.numOfOutOfTargets),
                removedSegments: sum(\.removedSegments), movedBytes: disks.reduce(0) { $0 + $1.movedBytes },
                freedBytes: disks.reduce(0) { $0 + $1.freedBytes }, disks: disks))
    }
}

extension CompactionReport.Disk {
    init(path: String, _ status: CompactionStatus) {
        self.init(
            path: path, status: status.activity.rawValue, lastCompactionStart: status.lastStart,
            lastCompactionEnd: status.lastEnd, totalTargets: status.totalSegments,
            numOfPendingTargets: status.pendingSegments, numOfOngoingTargets: status.ongoingSegments,
            numOfOutOfTargets: status.outSegments, doubtfulSegments: status.doubtfulSegments,
            damagedSegments: status.damagedSegments, removedSegments: status.removedSegments,
            movedBytes: status.movedBytes, freedBytes: status.freedBytes, rate: status.rate,
            obstacle: status.obstacle)
    }
}
