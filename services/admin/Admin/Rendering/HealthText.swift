import ClusterState

/// `cluster health` for people: one screen.
enum HealthText {
    /// More findings than this are only counted.
    private static let findingsMax = 20

    static func screen(_ report: HealthReport) -> String {
        let findings = report.findings.prefix(findingsMax).flatMap(lines)
        let more = report.findings.count - findingsMax
        return
            ([verdict(report), "", partitions(report.partitions), nodes(report.nodes), hints(report)]
            + (findings.isEmpty ? [] : [""] + findings)
            + (more > 0 ? ["and \(more) more (--json shows all)"] : [])).joined(separator: "\n")
    }

    private static func verdict(_ report: HealthReport) -> String {
        let risk = report.dataAtRisk ? "data is at risk" : "no data is at risk"
        return "health: \(report.health.rawValue), \(risk)"
    }

    private static func partitions(_ counts: HealthReport.Partitions) -> String {
        var parts: [String] = []
        if counts.degraded > 0 { parts.append("\(counts.degraded) with fewer replicas") }
        if counts.withOneReplica > 0 { parts.append("\(counts.withOneReplica) with one replica") }
        if counts.withoutWriteQuorum > 0 { parts.append("\(counts.withoutWriteQuorum) without a write quorum") }
        if counts.withoutReadQuorum > 0 { parts.append("\(counts.withoutReadQuorum) without a read quorum") }
        let text = parts.isEmpty ? "all complete" : parts.joined(separator: ", ")
        return "   partitions: \(counts.total), \(text)"
    }

    private static func nodes(_ nodes: HealthReport.Nodes) -> String {
        var text = "storage nodes: \(nodes.total), \(nodes.running) running"
        if nodes.suspended > 0 { text += ", \(nodes.suspended) suspended" }
        if nodes.down > 0 { text += ", \(nodes.down) do not answer" }
        return text
    }

    private static func hints(_ report: HealthReport) -> String { "missed writes: \(report.waitingHints) wait" }

    private static func lines(_ finding: HealthReport.Finding) -> [String] {
        let grade = finding.grade == .ok ? "note" : finding.grade.rawValue
        let line = pad(grade, 8, .left) + "  \(finding.subject): \(finding.problem)"
        return finding.action.isEmpty ? [line] : [line, "          -> \(finding.action)"]
    }
}
