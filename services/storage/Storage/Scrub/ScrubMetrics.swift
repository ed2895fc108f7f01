import Observability

/// What the scrubs of all disks count.
struct ScrubMetrics: Sendable {
    let lastFinished: Gauge
    private let bytes: Counter
    private let records: Counter
    private let rewritten: Counter
    private let garbage: Counter
    private let misplaced: Counter

    init(_ registry: MetricsRegistry) {
        lastFinished = registry.gauge(
            "storage_scrub_last_finished_timestamp_seconds", help: "When a disk was last read as a whole, since 1970.")
        bytes = registry.counter("storage_scrub_bytes_total", help: "Bytes of the logs that the scrub has read.")
        records = registry.counter("storage_scrub_records_total", help: "Records that the scrub has verified.")
        rewritten = registry.counter(
            "storage_registers_rewritten_total",
            help: "Registers whose damaged record was written again from the index.")
        garbage = registry.counter(
            "storage_scrub_damaged_garbage_total", help: "Unreadable stretches of the logs that nothing needs.")
        misplaced = registry.counter(
            "storage_scrub_misplaced_entries_total", help: "Entries of the index that did not point to their record.")
    }

    func count(_ findings: ScrubFindings) {
        bytes.increment(by: findings.bytes)
        records.increment(by: findings.records)
        rewritten.increment(by: findings.rewrittenRegisters)
        garbage.increment(by: findings.damagedGarbage)
        misplaced.increment(by: findings.misplacedEntries)
    }
}
