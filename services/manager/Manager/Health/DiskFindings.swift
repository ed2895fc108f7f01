import ClusterState
import Model

/// What is wrong with disks and what is on them.
struct DiskFindings {
    /// Less room than this part of a disk is told.
    private static let freePartMin = 0.1

    let survey: ClusterSurvey

    var all: [HealthReport.Finding] {
        survey.nodes.sorted { $0.key < $1.key }.flatMap { name, node -> [HealthReport.Finding] in
            if let failure = node.failure {
                return [
                    .init(.degraded, name.rawValue, "did not tell how it is: \(failure)", action: "look at its log")
                ]
            }
            var findings = node.disks?.disks.flatMap { disk(name, $0) } ?? []
            if let damaged = node.scrub?.damaged, damaged > 0 {
                let problem = "\(damaged) records cannot be read and wait for repair from other replicas"
                findings.append(
                    .init(
                        .degraded, name.rawValue, problem,
                        action: "keep the other nodes running; martlet-adm repair-status"))
            }
            return findings
        }
    }

    private func disk(_ node: NodeName, _ disk: DiskListReport.Disk) -> [HealthReport.Finding] {
        let subject = "\(node):\(disk.path)"
        var findings: [HealthReport.Finding] = []
        if let (problem, action) = state(node, disk) {
            let reason = disk.reason.map { ": \($0)" } ?? ""
            findings.append(.init(.degraded, subject, problem + reason, action: action))
        } else if let free = disk.free, let total = disk.total, total > 0,
            Double(free) < Double(total) * Self.freePartMin
        {
            let problem = "\(free * 100 / total) % free"
            findings.append(.init(.degraded, subject, problem, action: "add a disk or a node, or delete"))
        }
        if disk.doubtfulSlots > 0 {
            let problem = "has lost records and does not vote for \(disk.doubtfulSlots) of its \(disk.slots) slots"
            findings.append(
                .init(.degraded, subject, problem, action: "keep all storage nodes running; martlet-adm repair-status"))
        }
        return findings
    }

    private func state(_ node: NodeName, _ disk: DiskListReport.Disk) -> (problem: String, action: String)? {
        let replace = "replace it, then martlet-adm disk replace \(node) \(disk.path)"
        switch disk.state {
        case "full": return ("is full and takes no writes", "add a disk or a node, or delete")
        case "read-only":
            return ("takes no writes since a sync failed", "martlet-adm disk drain \(node) \(disk.path), or \(replace)")
        case "failed": return ("is out of service", "mount it, or \(replace)")
        case "rebuilding": return ("rebuilds its index", "")
        case "opening": return ("is being opened", "")
        default: return nil
        }
    }
}
