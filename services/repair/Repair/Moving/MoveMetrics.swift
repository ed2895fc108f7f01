import Observability

struct MoveMetrics: Sendable {
    let moving: Gauge
    let copied: Counter
    let failures: Counter

    init(_ registry: MetricsRegistry) {
        moving = registry.gauge("martlet_repair_partitions_moving", help: "Partitions with an old and a new set")
        copied = registry.counter(
            "martlet_repair_moved_total", help: "Registers and chunks brought to the new replicas of a partition")
        failures = registry.counter(
            "martlet_repair_move_failures_total", help: "Partitions that a round could not prove complete")
    }
}
