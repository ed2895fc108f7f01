import ClusterState

/// A plan for the ring, for people.
enum RebalanceText {
    static func render(_ json: [UInt8]) throws -> String { text(of: try report(RebalanceReport.self, json)) }

    static func text(of report: RebalanceReport) -> String {
        if report.partitions == 0 { return "Nothing has to move." }
        var lines = [
            "      plan: \(report.plan), \(report.phase)",
            "   changes: \(report.changes.isEmpty ? "weights or zones" : report.changes.joined(separator: ", "))",
            "partitions: \(report.partitions - report.partitionsLeft) of \(report.partitions) done, "
                + "\(report.partitionsMoving) moving; \(report.moves) replicas move in all",
        ]
        if report.copied > 0 {
            let rate = report.copiedPerSecond.map { ", \(Int($0.rounded())) a second lately" } ?? ""
            lines.append("    copied: \(report.copied) registers and chunks\(rate)")
        }
        if let seconds = report.secondsLeft { lines.append(" time left: about \(seconds) s") }
        if !report.waitingForNodes.isEmpty {
            lines.append("waits for: \(report.waitingForNodes.joined(separator: ", ")) to adopt the ring")
        }
        if report.waitingForProof > 0 {
            lines.append("waits for: repair, to complete \(report.waitingForProof) partitions")
        }
        return (lines + [table(report).text]).joined(separator: "\n")
    }

    private static func table(_ report: RebalanceReport) -> TextTable {
        var columns: [TextTable.Column] = [
            .init("node"), .init("holds", .right), .init("gets", .right), .init("gives", .right),
        ]
        var rows = report.nodes.map { [$0.node, "\($0.holds)", "\($0.gets)", "\($0.gives)"] }
        if report.nodes.contains(where: { $0.getsBytes != nil }) {
            columns += [.init("gets objects", .right), .init("gets bytes", .right)]
            rows = zip(rows, report.nodes).map { row, node in
                row + ["\(node.getsObjects ?? 0)", ByteText.make(node.getsBytes ?? 0)]
            }
        }
        return TextTable(columns: columns, rows: rows)
    }
}
