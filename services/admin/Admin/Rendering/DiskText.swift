import ClusterState

/// `disk list` for people.
enum DiskText {
    static func list(_ report: DiskListReport) -> String {
        let table = TextTable(
            columns: [
                .init("disk"), .init("state"), .init("slots", .right), .init("doubt", .right),
                .init("damaged", .right), .init("weight", .right),
                .init("free", .right), .init("total", .right), .init("path"), .init("id"),
            ],
            rows: report.disks.map { disk in
                [
                    disk.name, disk.state, slots(disk), "\(disk.doubtfulSlots)", "\(disk.damagedRecords)",
                    "\(disk.weight)", bytes(disk.free), bytes(disk.total), disk.path, disk.id ?? "",
                ]
            })
        let reasons = report.disks.compactMap { disk in disk.reason.map { "\(disk.name): \($0)" } }
        return ([table.text] + reasons + [moves(report.moves)]).joined(separator: "\n")
    }

    private static func slots(_ disk: DiskListReport.Disk) -> String {
        disk.slots == disk.slotsWanted ? "\(disk.slots)" : "\(disk.slots) -> \(disk.slotsWanted)"
    }

    private static func moves(_ moves: DiskListReport.Moves) -> String {
        var line = "slots: \(moves.state), \(moves.slotsLeft) to move"
        if let from = moves.from, let to = moves.to { line += ", now from \(from) to \(to)" }
        line += "; \(moves.slotsMoved) moved, \(bytes(Int(clamping: moves.bytesMoved)))"
        if moves.unreadable > 0 { line += ", \(moves.unreadable) records could not be read" }
        return line + (moves.reason.map { "; \($0)" } ?? "")
    }

    private static func bytes(_ count: Int?) -> String {
        count.map { ByteText.make(UInt64(clamping: $0)) } ?? ""
    }
}
