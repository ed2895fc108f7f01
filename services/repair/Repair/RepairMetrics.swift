import Observability

struct RepairMetrics: Sendable {
    let registers: Counter
    let chunks: Counter
    let failures: Counter
    let compared: Counter
    let differing: Gauge
    let lastFinished: Gauge
    let seconds: Histogram

    init(_ registry: MetricsRegistry) {
        func repaired(_ kind: String) -> Counter {
            registry.counter(
                "martlet_repair_repaired_total", help: "Replicas found behind and brought up to date",
                labels: ["kind": kind])
        }
        registers = repaired("register")
        chunks = repaired("chunk")
        failures = registry.counter(
            "martlet_repair_failures_total", help: "Objects and pages that could not be repaired")
        compared = registry.counter("martlet_repair_keys_compared_total", help: "Keys compared one by one")
        differing = registry.gauge(
            "martlet_repair_partitions_differing", help: "Partitions whose replicas differed in the last comparison")
        lastFinished = registry.gauge(
            "martlet_repair_last_finished_timestamp_seconds", help: "When the last comparison ended, since 1970")
        seconds = registry.histogram("martlet_repair_seconds", help: "Length of comparisons of all replicas")
    }
}
