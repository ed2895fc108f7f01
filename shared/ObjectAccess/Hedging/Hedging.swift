import Observability
import Synchronization

/// The ``HedgePolicy`` of one kind of request, shared by all of a process.
final class Hedging: Sendable {
    private let policy: Mutex<HedgePolicy>
    private let sent: Counter
    private let denied: Counter

    init(_ options: HedgePolicy.Options, kind: AccessMetrics.Operation, _ registry: MetricsRegistry) {
        policy = Mutex(HedgePolicy(options))
        let labels = ["op": kind.rawValue]
        sent = registry.counter(
            "martlet_hedged_requests_total", help: "Reads that were sent to another replica because one was slow",
            labels: labels)
        denied = registry.counter(
            "martlet_hedges_denied_total", help: "Reads that waited longer because too many were hedged already",
            labels: labels)
        registry.gauge(
            "martlet_hedge_delay_seconds", help: "How long a read waits before it is sent to another replica",
            labels: labels
        ) { [weak self] in (self?.policy.withLock { $0.delay } ?? .zero) / .seconds(1) }
    }

    func begin() -> Duration { policy.withLock { $0.begin() } }

    /// After how long others are asked in any case: `usual`, unless answers take long enough lately that it would be soon for many.
    func patience(_ usual: Duration, _ delay: Duration) -> Duration { max(usual, delay * 2) }

    func answered(since start: ContinuousClock.Instant) {
        let latency = ContinuousClock.now - start
        policy.withLock { $0.answered(after: latency) }
    }

    /// - Parameter isFree: the replica that is slow answers nobody: asking another one is no more work for the cluster.
    func mayHedge(isFree: Bool) -> Bool {
        let may = isFree || policy.withLock { $0.mayHedge() }
        (may ? sent : denied).increment()
        return may
    }
}
