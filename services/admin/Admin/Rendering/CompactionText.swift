import ClusterState

/// `compact-status` for people.
enum CompactionText {
    static func status(_ report: CompactionReport) -> String {
        let status = report.compactionStatus
        let lines = [
            item("current status", status.status),
            item("last compaction start", time(status.lastCompactionStart)),
            item("last compaction end", time(status.lastCompactionEnd)),
            item("total targets", "\(status.totalTargets)"),
            item("# of pending targets", "\(status.numOfPendingTargets)"),
            item("# of ongoing targets", "\(status.numOfOngoingTargets)"),
            item("# of out of targets", "\(status.numOfOutOfTargets)"),
            item("removed segments", "\(status.removedSegments)"), item("moved bytes", "\(status.movedBytes)"),
            item("freed bytes", "\(status.freedBytes)"),
        ]
        return (lines + status.disks.flatMap(waits)).joined(separator: "\n")
    }

    /// What keeps a disk from getting on.
    private static func waits(_ disk: CompactionReport.Disk) -> [String] {
        var reasons: [String] = []
        if disk.doubtfulSegments > 0 { reasons.append("\(disk.doubtfulSegments) segments wait for lost records") }
        if disk.damagedSegments > 0 { reasons.append("\(disk.damagedSegments) segments wait for damaged records") }
        if let obstacle = disk.obstacle { reasons.append(obstacle) }
        return reasons.map { item(disk.path, $0) }
    }

    private static func item(_ name: String, _ value: String) -> String { pad(name, 22, .right) + ": " + value }

    private static func time(_ milliseconds: Int64?) -> String {
        milliseconds.map { TimeText.make(milliseconds: $0) } ?? "____-__-__ __:__:__"
    }
}
