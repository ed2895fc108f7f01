import ClusterState
import Foundation

/// `du` for people.
enum DiskUsageText {
    static func summary(_ report: DiskUsageReport) -> String {
        lines(
            disks: report.disks, start: time(report.lastCompactionStart), end: time(report.lastCompactionEnd))
    }

    static func detail(_ report: DiskUsageReport) -> String {
        let disks = report.disks.map { disk in
            "file path: \(disk.path)\n"
                + lines(disks: [disk], start: time(report.lastCompactionStart), end: time(report.lastCompactionEnd))
                + "\n" + item("state", disk.state)
        }
        return (["[du(storage stats)]"] + disks).joined(separator: "\n\n")
    }

    private static func lines(disks: [DiskUsageReport.Disk], start: String, end: String) -> String {
        func sum(_ value: (DiskUsageReport.Disk) -> UInt64) -> UInt64 { disks.reduce(0) { $0 &+ value($1) } }
        let (active, total) = (sum(\.activeSize), sum(\.totalSize))
        let ratio = total == 0 ? 100 : Double(active) * 100 / Double(total)
        return [
            item("active number of objects", "\(sum(\.activeObjects))"),
            item("total number of objects", "\(sum(\.totalObjects))"),
            item("active size of objects", "\(active)"), item("total size of objects", "\(total)"),
            item("ratio of active size", String(format: "%.2f%%", ratio)), item("last compaction start", start),
            item("last compaction end", end),
        ].joined(separator: "\n")
    }

    private static func item(_ name: String, _ value: String) -> String { pad(name, 25, .right) + ": " + value }

    private static func time(_ milliseconds: Int64?) -> String {
        milliseconds.map { TimeText.make(milliseconds: $0) } ?? "____-__-__ __:__:__"
    }
}
