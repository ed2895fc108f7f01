import ObjectLog
import Observability

/// What a storage node counts.
final class StorageMetrics: Sendable {
    let checksumErrors: Counter
    let indexErrors: Counter
    let abstentions: Counter
    let diskFailures: Counter
    private let syncs: Counter
    private let syncedRecords: Counter
    private let syncedBytes: Counter
    private let syncSeconds: Histogram

    init(_ registry: MetricsRegistry) {
        checksumErrors = registry.counter(
            "storage_checksum_errors", help: "Reads of content that found it damaged or unreadable.")
        indexErrors = registry.counter("storage_index_errors", help: "Reads of the index that failed.")
        abstentions = registry.counter(
            "storage_abstentions", help: "Requests not voted on because the replica's data cannot be trusted.")
        diskFailures = registry.counter("storage_disk_failures", help: "Disks that became read-only by an error.")
        syncs = registry.counter("storage_log_syncs", help: "Syncs of the object logs.")
        syncedRecords = registry.counter("storage_log_records", help: "Records that these syncs made durable.")
        syncedBytes = registry.counter("storage_log_bytes", help: "Bytes that these syncs made durable.")
        syncSeconds = registry.histogram("storage_log_sync_seconds", help: "Time to write and sync one batch.")
    }

    func synced(_ batch: SyncedBatch) {
        syncs.increment()
        syncedRecords.increment(by: batch.records)
        syncedBytes.increment(by: batch.bytes)
        syncSeconds.record(seconds: batch.seconds)
    }
}
