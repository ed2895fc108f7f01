import ClusterState
import Model
import Ring
import Wire

/// Whether the managers know the ring that is in force, and whether it is as it is to be. Pure.
struct RingFindings: Sendable {
    typealias Finding = HealthReport.Finding

    let view: ClusterView
    let standing: RingStanding

    var all: [Finding] { standingFindings + strangers + otherSizes }

    private var standingFindings: [Finding] {
        switch standing {
        case .newest: return []
        case .outdated(let member):
            let problem = "\(member) works by a newer ring than the managers know: they take it over from there"
            return [Finding(.degraded, "cluster", problem)]
        case .unconfirmed(let silent):
            let problem = "the state was restored, and storage nodes that do not answer may know a newer ring"
            let action = "start \(silent.map(\.rawValue).joined(separator: ", "))"
            return [Finding(.degraded, "cluster", problem, action: action)]
        }
    }

    private var strangers: [Finding] {
        (view.ring?.nodes ?? []).filter { view.members[$0] == nil }.map {
            Finding(.degraded, $0.rawValue, "holds a part of the ring and is no member", action: "enrol it again")
        }
    }

    private var otherSizes: [Finding] {
        let wanted = view.consistency.replicas
        let other = view.ring?.partitions.count { $0.current.count != wanted } ?? 0
        guard other > 0 else { return [] }
        return [
            Finding(
                .ok, "cluster", "\(other) partitions do not have \(wanted) replicas yet",
                action: "martlet-adm rebalance, or rebalance-status when it is under way")
        ]
    }
}
