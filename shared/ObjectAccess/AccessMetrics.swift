import Observability

/// The metrics of all clients of a process; asking the registry again gives the same ones.
struct AccessMetrics: Sendable {
    enum Operation: String, CaseIterable, Sendable {
        case read, write, delete, list
        case chunkPut = "chunk_put"
        case chunkGet = "chunk_get"
    }

    let rounds: Counter
    let finishedReads: Counter
    let contentWaits: Counter
    let hintsNoted: Counter
    let hintsDropped: Counter
    private let failures: [Operation: Counter]
    private let seconds: [Operation: Histogram]

    init(_ registry: MetricsRegistry) {
        rounds = registry.counter("martlet_register_rounds_total", help: "Attempts (stage and commit) on registers")
        finishedReads = registry.counter(
            "martlet_register_reads_finished_total", help: "Reads that had to finish a half done write")
        contentWaits = registry.counter(
            "martlet_content_waits_total", help: "Large content that waited for room on its way to replicas")
        hintsNoted = registry.counter("martlet_hints_noted_total", help: "Replicas that missed a write, noted in hints")
        hintsDropped = registry.counter(
            "martlet_hints_dropped_total", help: "Hints that could not be noted, left to anti-entropy")
        failures = Self.each { operation in
            registry.counter(
                "martlet_quorum_failures_total", help: "Operations without a quorum", labels: ["op": operation])
        }
        seconds = Self.each { operation in
            registry.histogram("martlet_access_seconds", help: "Latency of operations", labels: ["op": operation])
        }
    }

    func failed(_ operation: Operation) { failures[operation]?.increment() }

    func took(_ operation: Operation, since start: ContinuousClock.Instant) {
        seconds[operation]?.record(since: start)
    }

    private static func each<Metric>(_ make: (String) -> Metric) -> [Operation: Metric] {
        Dictionary(uniqueKeysWithValues: Operation.allCases.map { ($0, make($0.rawValue)) })
    }
}
