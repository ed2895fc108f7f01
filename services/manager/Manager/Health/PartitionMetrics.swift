import ClusterState
import Model
import Observability
import Synchronization

/// Partitions that lack something, as metrics. Counted again only when the ring or who answers has changed.
final class PartitionMetrics: Sendable {
    private struct Known {
        var revision: UInt64
        var down: Set<NodeName>
        var counts: HealthReport.Partitions
    }

    private let cluster: ManagedCluster
    private let watch: MemberWatch
    private let known = Mutex<Known?>(nil)

    private init(_ cluster: ManagedCluster, _ watch: MemberWatch) {
        self.cluster = cluster
        self.watch = watch
    }

    static func register(in registry: MetricsRegistry, _ cluster: ManagedCluster, _ watch: MemberWatch) {
        let metrics = PartitionMetrics(cluster, watch)
        let conditions: [(String, @Sendable (HealthReport.Partitions) -> Int)] = [
            ("total", { $0.total }), ("degraded", { $0.degraded }), ("one_replica", { $0.withOneReplica }),
            ("no_read_quorum", { $0.withoutReadQuorum }), ("no_write_quorum", { $0.withoutWriteQuorum }),
        ]
        for (condition, count) in conditions {
            registry.gauge(
                "manager_partitions", help: "Partitions of the ring, and those that lack replicas that answer.",
                labels: ["condition": condition]
            ) { Double(count(metrics.counts)) }
        }
    }

    private var counts: HealthReport.Partitions {
        let (view, liveness) = (cluster.view, watch.liveness)
        let down = Set(liveness.filter { $0.value.verdict == .down }.keys)
        return known.withLock { known in
            if let known, known.revision == view.revision, known.down == down { return known.counts }
            let counts = ClusterHealth(view: view, liveness: liveness, survey: .init()).partitionCounts
            known = Known(revision: view.revision, down: down, counts: counts)
            return counts
        }
    }
}
