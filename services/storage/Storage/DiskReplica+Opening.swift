import Foundation
import Logging
import MetadataIndex
import Model
import ObjectLog

/// What a disk needs to be opened.
struct DiskOptions: Sendable {
    var node: NodeName
    var segmentSize: Int
    var memory: IndexMemory
    /// An index that has not flushed for so many bytes of log does so: this bounds the replay after a crash.
    var flushDistance = 256 << 20
    var compaction = CompactionOptions()
    /// Bytes of the file system that the log leaves free for the index and other files.
    var reserve = 0
}

extension DiskReplica {
    /// Whether the directory has the log of a disk that has been in service.
    static func hasLog(path: String) throws -> Bool {
        let directory = path + "/log"
        guard FileManager.default.fileExists(atPath: directory) else { return false }
        return try RealDirectory(directory).names().contains { $0.hasPrefix("segment-") }
    }

    /// Opens or creates the replica in a directory: finds how far the index goes, replays the log from there.
    /// `files`: where the log lives, for tests; `rebuildsIndex`: not from where it ends, but from the log alone.
    static func open(
        path: String, options: DiskOptions, files: (any LogDirectory)? = nil, staged: StagedBlobs,
        damage: DamageList = DamageList(), metrics: StorageMetrics, logger: Logger, rebuildsIndex: Bool = false,
        onReplay: @escaping (ReplayedRecord) -> Void = { _ in },
        onHints: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws -> DiskReplica {
        let opening = DiskOpening(
            path: path, options: options, files: try files ?? RealDirectory(path + "/log"), logger: logger,
            onReplay: onReplay)
        let opened = try opening.open(rebuildsIndex: rebuildsIndex)
        if let doubt = opened.doubt {
            _ = try opened.index.apply(
                [.doubt(before: doubt.rawValue, slots: .all)], checkpoint: opened.index.checkpoint)
        }
        let replica = DiskReplica(
            path: path, log: opened.log, index: opened.index, staged: staged, damage: damage, metrics: metrics,
            logger: logger, compaction: options.compaction, onHints: onHints)
        opened.log.start(observer: replica)
        if let doubt = opened.doubt { try replica.distrust(before: doubt) }
        replica.listMarkedDamage()
        try replica.forgetRemovedSegments()
        return replica
    }

    /// Remembers that records before a position were lost.
    private func distrust(before position: LogPosition) throws {
        logger.critical(
            "records of unknown keys were lost: this disk does not vote for older keys",
            metadata: ["disk": "\(path)", "before": "\(position)"])
        try state.withLock { state in
            // A full disk must be able to say this too.
            let remembered = try append(
                .doubt(before: position, slots: .all), urgency: .now, priority: .compaction, answer: nil, &state)
            log.lossIsRemembered(at: remembered)
        }
    }

    /// Work that comes up now and then; may block.
    func maintain(flushDistance: Int) {
        checkSuspects()
        if damage.count > 0 { settleDamage(damage.records(of: path, limit: 1000)) }
        let flushed = LogPosition(rawValue: index.flushedCheckpoint)
        if log.bytes(since: flushed) > flushDistance { flushIndex() }
    }

    private func flushIndex() {
        do { try index.flush() } catch {
            logger.error("the index cannot be flushed", metadata: ["disk": "\(path)", "error": "\(error)"])
        }
    }

    /// Ends cleanly: what waits is written, and the next start has nothing to replay.
    func stop() {
        compactor.stop()
        stopScrub()
        log.stop()
        flushIndex()
    }
}
