import ClusterState

/// `whereis` for people.
enum WhereisText {
    static func table(_ report: WhereisReport) -> String {
        let table = TextTable(
            columns: [
                .init("del?", width: 5, .center), .init("node", width: 24), .init("ring address", width: 32),
                .init("size", width: 10, .right), .init("checksum", width: 12), .init("has children", width: 12),
                .init("total chunks", width: 12, .right), .init("clock", width: 14), .init("when", width: 26),
            ],
            rows: report.assignedInfo.map { row($0) })
        guard !report.failureNodes.isEmpty else { return table.text }
        let failures = report.failureNodes.map { "\($0.node):\($0.cause)" }
        return ([table.text, "", "[Failure Nodes]"] + failures).joined(separator: "\n")
    }

    private static func row(_ replica: WhereisReport.Replica) -> [String] {
        guard replica.present else { return ["", replica.node] + Array(repeating: "", count: 7) }
        return [
            replica.del == true ? "*" : "", replica.node, replica.ringAddress ?? "",
            replica.size.map(sizeText) ?? "", replica.checksum ?? "", replica.hasChildren.map { "\($0)" } ?? "",
            replica.totalChunks.map { "\($0)" } ?? "", replica.clock ?? "", replica.when ?? "",
        ]
    }

    /// "0B", "1023B", "2K", "24M": rounded down, as leofs-adm does.
    static func sizeText(_ bytes: UInt64) -> String {
        let units = ["B", "K", "M", "G", "T", "P"]
        var value = bytes
        var unit = 0
        while value >= 1024, unit < units.count - 1 {
            value /= 1024
            unit += 1
        }
        return "\(value)\(units[unit])"
    }
}
