import ClusterState
import FailureDetection
import Model
import Observability
import ProcessRuntime
import Wire

/// What the manager counts about members.
struct MembershipMetrics: Sendable {
    private static let roles: [MemberRole] = [.manager, .storage, .gateway, .replicator, .repair]
    private static let states: [MemberState] = [.attached, .running, .suspended, .stopped, .detached, .restarted]

    private let suspicions: Counter
    private let refutations: Counter
    private let failures: Counter
    private let direct: Counter
    private let relayed: Counter

    init(_ registry: MetricsRegistry) {
        suspicions = registry.counter("manager_member_suspicions", help: "Members that were silent and were suspected.")
        refutations = registry.counter(
            "manager_member_refutations", help: "Suspicions that turned out wrong: the member was only slow.")
        failures = registry.counter("manager_member_failures", help: "Members that were given up.")
        let help = "Questions to silent members, asked directly or through another member."
        direct = registry.counter("manager_member_probes", help: help, labels: ["path": "direct"])
        relayed = registry.counter("manager_member_probes", help: help, labels: ["path": "relayed"])
    }

    /// Gauges, read when they are asked for.
    func observe(
        _ registry: MetricsRegistry, liveness: @escaping @Sendable () -> [NodeName: Liveness],
        states members: @escaping @Sendable () -> [(MemberRole, MemberState)]
    ) {
        for role in Self.roles {
            for state in role == .storage ? Self.states : [.running, .stopped] {
                registry.gauge(
                    "manager_members", help: "Members by role and state.",
                    labels: ["role": role.word, "state": state.word]
                ) { Double(members().count { $0 == (role, state) }) }
            }
        }
        for verdict in MemberLife.Verdict.allCases {
            registry.gauge(
                "manager_members_by_verdict", help: "Members by what the failure detector holds of them.",
                labels: ["verdict": verdict.rawValue]
            ) { Double(liveness().values.count { $0.verdict == verdict }) }
        }
    }

    func count(_ outcome: Membership.Outcome) {
        for news in outcome.news {
            switch news {
            case .suspected: suspicions.increment()
            case .refuted: refutations.increment()
            case .down: failures.increment()
            case .up, .probe: break
            }
        }
        for probe in outcome.probes { (probe.relay == nil ? direct : relayed).increment() }
    }
}
