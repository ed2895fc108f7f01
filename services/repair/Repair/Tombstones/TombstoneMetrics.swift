import Observability

struct TombstoneMetrics: Sendable {
    let purged: Counter
    let waiting: Gauge

    init(_ registry: MetricsRegistry) {
        purged = registry.counter(
            "martlet_repair_tombstones_purged_total", help: "Tombstones dropped, over all replicas")
        waiting = registry.gauge(
            "martlet_repair_tombstones_waiting",
            help: "Old tombstones that not all of their replicas had at the last look, or not all have dropped")
    }
}
