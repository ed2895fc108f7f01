import ClusterState
import Model

/// Verbs for which all nodes are asked.
struct SurveyVerbs: Sendable {
    let parts: ManagerParts

    func health() async -> HealthReport {
        let survey = await survey()
        return ClusterHealth(view: parts.cluster.view, liveness: parts.watch.liveness, survey: survey).report()
    }

    func durability() async -> DurabilityReport {
        let survey = await survey()
        return DurabilityAssessment.report(DurabilityFacts(parts.cluster.view, survey, parts.durability))
    }

    private func survey() async -> ClusterSurvey {
        await ClusterSurvey.take(parts.nodes, liveness: parts.watch.liveness)
    }
}
