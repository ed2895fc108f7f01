import Observability

struct ReplicatorMetrics: Sendable {
    private let registers: Counter
    private let chunks: Counter
    private let obsolete: Counter
    private let failed: Counter

    init(_ registry: MetricsRegistry) {
        func delivered(_ kind: String) -> Counter {
            registry.counter(
                "martlet_replication_delivered_total", help: "Hints delivered to the replica that missed a write",
                labels: ["kind": kind])
        }
        registers = delivered("register")
        chunks = delivered("chunk")
        obsolete = registry.counter(
            "martlet_replication_obsolete_total", help: "Hints whose content nobody has any more")
        failed = registry.counter(
            "martlet_replication_failed_total", help: "Deliveries that failed and are tried again")
    }

    func count(_ outcome: HintDelivery.Outcome, isChunk: Bool) {
        switch outcome {
        case .delivered: (isChunk ? chunks : registers).increment()
        case .obsolete: obsolete.increment()
        case .unreachable, .failed: failed.increment()
        }
    }
}
