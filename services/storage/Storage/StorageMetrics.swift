import ObjectLog
import Observability
import Synchronization

/// What a storage node counts.
final class StorageMetrics: Sendable {
    let checksumErrors: Counter
    let indexErrors: Counter
    let abstentions: Counter
    let diskFailures: Counter
    let purged: Counter
    private let compactionsRunning = Atomic<Int>(0)
    private let compactedSegments: Counter
    private let compactionMovedBytes: Counter
    private let compactionFreedBytes: Counter
    private let compactionSeconds: Histogram
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
        purged = registry.counter("storage_tombstones_purged", help: "Tombstones dropped after proof by repair.")
        compactedSegments = registry.counter("storage_compaction_segments", help: "Segments compacted and removed.")
        compactionMovedBytes = registry.counter(
            "storage_compaction_moved_bytes", help: "Bytes of records in force that compaction has copied.")
        compactionFreedBytes = registry.counter(
            "storage_compaction_freed_bytes", help: "Bytes of removed segments that were given back to the disk.")
        compactionSeconds = registry.histogram(
            "storage_compaction_seconds", help: "Time to compact one segment, pauses included.")
        syncs = registry.counter("storage_log_syncs", help: "Syncs of the object logs.")
        syncedRecords = registry.counter("storage_log_records", help: "Records that these syncs made durable.")
        syncedBytes = registry.counter("storage_log_bytes", help: "Bytes that these syncs made durable.")
        syncSeconds = registry.histogram("storage_log_sync_seconds", help: "Time to write and sync one batch.")
        registry.gauge("storage_compaction_running", help: "Segments being compacted now, at most one a disk.") {
            [weak self] in Double(self?.compactionsRunning.load(ordering: .relaxed) ?? 0)
        }
    }

    func compactionBegan() { compactionsRunning.wrappingAdd(1, ordering: .relaxed) }

    func compactionEnded(seconds: Double) {
        compactionsRunning.wrappingSubtract(1, ordering: .relaxed)
        compactionSeconds.record(seconds: seconds)
    }

    func compactionMoved(_ bytes: Int) { compactionMovedBytes.increment(by: bytes) }

    func compactionFreed(_ bytes: Int) {
        compactedSegments.increment()
        compactionFreedBytes.increment(by: bytes)
    }

    func synced(_ batch: SyncedBatch) {
        syncs.increment()
        syncedRecords.increment(by: batch.records)
        syncedBytes.increment(by: batch.bytes)
        syncSeconds.record(seconds: batch.seconds)
    }
}
