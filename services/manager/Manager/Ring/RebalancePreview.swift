import ClusterState
import Model
import Ring
import Wire

/// `rebalance --dry-run`: what would move, and about how much that is.
struct RebalancePreview: Sendable {
    let parts: ManagerParts

    func report() async throws -> RebalanceReport {
        let state = parts.cluster.state
        let context = parts.context()
        // Nothing is committed.
        var edit = StateEdit(state)
        let call = VerbCall(arguments: [], state: state, context: context)
        let (goal, plan, ring) = try RingPlanVerbs.proposal(call, &edit)
        var report = RebalanceReport(RingPlanRecord(plan, changes: goal.changes, now: context.now), plan, ring)
        let survey = await ClusterSurvey.take(parts.nodes, liveness: parts.watch.liveness)
        report.estimate(plan.moves(from: ring), ring, Self.usage(survey))
        return report
    }

    static func usage(_ survey: ClusterSurvey) -> [NodeName: RebalanceReport.Usage] {
        survey.nodes.compactMapValues { node in
            guard let disks = node.usage?.disks else { return nil }
            return RebalanceReport.Usage(
                objects: disks.reduce(0) { $0 &+ $1.activeObjects }, bytes: disks.reduce(0) { $0 &+ $1.activeSize })
        }
    }
}
