import Observability

struct TaskMetrics: Sendable {
    let bytes: Counter
    let running: Gauge
    private let registry: MetricsRegistry

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        bytes = registry.counter("martlet_repair_bytes_total", help: "Content that repair has copied, in bytes")
        running = registry.gauge("martlet_repair_tasks_running", help: "Repair tasks that run now")
    }

    /// Kinds and ends are few.
    func ended(_ kind: TaskKind, _ outcome: TaskOutcome) {
        let result = outcome.isProved ? "proved" : outcome.isSuccess ? "unproved" : "failed"
        registry.counter(
            "martlet_repair_task_runs_total", help: "Runs of repair tasks that ended, by kind and result",
            labels: ["kind": kind.rawValue, "result": result]
        ).increment()
    }
}
