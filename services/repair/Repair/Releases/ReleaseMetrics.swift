import Observability

struct ReleaseMetrics: Sendable {
    let waiting: Gauge
    let dropped: Counter
    let kept: Counter
    let failures: Counter

    init(_ registry: MetricsRegistry) {
        waiting = registry.gauge(
            "martlet_repair_releases_waiting", help: "Releases of content that storage nodes kept at the last look")
        dropped = registry.counter(
            "martlet_repair_chunks_dropped_total", help: "Chunks taken back, over all replicas")
        kept = registry.counter(
            "martlet_repair_released_blobs_kept_total", help: "Released content that turned out to be in use")
        failures = registry.counter(
            "martlet_repair_release_failures_total", help: "Attempts to take back content that failed")
    }
}
