import Observability

struct MemoryMetrics: Sendable {
    let disks: Gauge
    let postponed: Gauge
    let registers: Counter
    let chunks: Counter
    let failures: Counter
    let recovered: Counter

    init(_ registry: MetricsRegistry) {
        disks = registry.gauge(
            "martlet_repair_forgetful_disks", help: "Disks that have lost records of unknown keys, at the last look")
        postponed = registry.gauge(
            "martlet_repair_forgetful_disks_postponed", help: "Those of them that cannot be healed now")
        func taught(_ kind: String) -> Counter {
            registry.counter(
                "martlet_repair_memory_taught_total",
                help: "Registers and chunks brought to disks that had lost records",
                labels: ["kind": kind])
        }
        registers = taught("register")
        chunks = taught("chunk")
        failures = registry.counter(
            "martlet_repair_memory_failures_total", help: "Steps of the healing of lost memory that failed")
        recovered = registry.counter(
            "martlet_repair_memory_recovered_total", help: "Disks that got their memory and their vote back")
    }
}
