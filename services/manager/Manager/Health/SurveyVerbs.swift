import ClusterState
import Model

/// Verbs for which all nodes are asked.
struct SurveyVerbs: Sendable {
    let parts: ManagerParts

    func health() async -> HealthReport {
        let survey = await survey()
        let (state, liveness) = (parts.cluster.state, parts.watch.liveness)
        return ClusterHealth(
            view: state.view, liveness: liveness, survey: survey, deadNodeWait: parts.deadNodeWait,
            now: wallMilliseconds(), standing: RingStanding(state, liveness)
        ).report()
    }

    func durability() async -> DurabilityReport {
        let survey = await survey()
        return DurabilityAssessment.report(DurabilityFacts(parts.cluster.view, survey, parts.durability))
    }

    private func survey() async -> ClusterSurvey {
        await ClusterSurvey.take(parts.nodes, liveness: parts.watch.liveness)
    }
}
