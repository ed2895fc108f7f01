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
        if report.copied > 0 { lines.append("    copied: \(report.copied) registers and chunks") }
        if let seconds = report.secondsLeft { lines.append(" time left: about \(seconds) s") }
        if !report.waitingForNodes.isEmpty {
            lines.append("waits for: \(report.waitingForNodes.joined(separator: ", ")) to adopt the ring")
        }
        if report.waitingForProof > 0 {
            lines.append("waits for: repair, to complete \(report.waitingForProof) partitions")
        }
        let table = TextTable(
            columns: [
                .init("node"), .init("holds", .right), .init("gets", .right), .init("gives", .right),
            ],
            rows: report.nodes.map { [$0.node, "\($0.holds)", "\($0.gets)", "\($0.gives)"] })
        return (lines + [table.text]).joined(separator: "\n")
    }
}
