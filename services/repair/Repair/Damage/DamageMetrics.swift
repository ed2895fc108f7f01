import Observability
import Wire

struct DamageMetrics: Sendable {
    let damaged: Gauge
    let failures: Counter
    private let registers: Counter
    private let chunks: Counter

    init(_ registry: MetricsRegistry) {
        damaged = registry.gauge(
            "martlet_repair_damaged_records", help: "Records that storage nodes could not read, at the last look")
        failures = registry.counter(
            "martlet_repair_damage_failures_total", help: "Attempts to heal a damaged record that failed")
        func healed(_ kind: String) -> Counter {
            registry.counter(
                "martlet_repair_damage_healed_total", help: "Damaged records brought back from other replicas",
                labels: ["kind": kind])
        }
        registers = healed("register")
        chunks = healed("chunk")
    }

    func count(_ item: DamagedItem) { item.chunk ? chunks.increment() : registers.increment() }
}
