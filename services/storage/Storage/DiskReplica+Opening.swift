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
}

extension DiskReplica {
    /// Whether the directory has the log of a disk that has been in service.
    static func hasLog(path: String) throws -> Bool {
        let directory = path + "/log"
        guard FileManager.default.fileExists(atPath: directory) else { return false }
        return try RealDirectory(directory).names().contains { $0.hasPrefix("segment-") }
    }

    /// Opens or creates the replica in a directory: finds how far the index goes, replays the log from there.
    /// `files`: where the log lives, for tests.
    static func open(
        path: String, options: DiskOptions, files: (any LogDirectory)? = nil, staged: StagedBlobs,
        damage: DamageList = DamageList(), metrics: StorageMetrics, logger: Logger,
        onHints: @escaping @Sendable (Int) -> Void = { _ in }
    ) throws -> DiskReplica {
        let files = try files ?? RealDirectory(path + "/log")
        var opened = try OpenedDisk(path: path, options: options, files: files, logger: logger)
        if opened.isTruncated {
            // The index tells of records that are gone with the end of the log. Without it, what is left can be trusted
            // to be there, but not to be the newest: the replica abstains until it has learned every key anew.
            opened.log.stop()
            opened = try OpenedDisk(path: path, options: options, files: files, logger: logger, rebuilding: true)
        }
        if let doubt = opened.doubt {
            _ = try opened.index.apply(
                [.doubt(before: doubt.rawValue, slots: .all)], checkpoint: opened.index.checkpoint)
        }
        let replica = DiskReplica(
            path: path, log: opened.log, index: opened.index, staged: staged, damage: damage, metrics: metrics,
            logger: logger, onHints: onHints)
        opened.log.start(observer: replica)
        if let doubt = opened.doubt { try replica.distrust(before: doubt) }
        replica.listMarkedDamage()
        return replica
    }

    /// Remembers that records before a position were lost.
    private func distrust(before position: LogPosition) throws {
        logger.critical(
            "records of unknown keys were lost: this disk does not vote for older keys",
            metadata: ["disk": "\(path)", "before": "\(position)"])
        try state.withLock { state in
            let entry = LogEntry.doubt(before: position, slots: .all)
            let appended = try log.append(entry)
            let place = RecordPlace(position: appended.rawValue, size: UInt32(entry.recordSize))
            let change = IndexChange.doubt(before: position.rawValue, slots: .all, place)
            state.queue.append(Queued(position: appended, change: change))
        }
    }

    /// Work that comes up now and then; may block.
    func maintain(flushDistance: Int) {
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
        log.stop()
        flushIndex()
    }
}

/// Log and index of a disk, brought in step.
private struct OpenedDisk {
    let log: ObjectLog
    let index: MetadataIndex
    /// The log lost its end.
    let isTruncated: Bool
    /// Records before this position were lost, nobody knows of which keys.
    let doubt: LogPosition?

    init(path: String, options: DiskOptions, files: any LogDirectory, logger: Logger, rebuilding: Bool = false) throws {
        var opened: MetadataIndex?
        var checkpoint = LogPosition.start
        var changes: [IndexChange] = []
        var reached = LogPosition.start
        func apply() throws {
            guard let index = opened, !changes.isEmpty else { return }
            try index.apply(
                changes, checkpoint: reached.rawValue, milliseconds: DiskReplica.wallMilliseconds)
            changes.removeAll(keepingCapacity: true)
        }
        let configuration = ObjectLogConfiguration(node: options.node, segmentSize: options.segmentSize)
        let (log, report) = try ObjectLog.open(
            files, configuration: configuration,
            checkpoint: {
                let index = try Self.openIndex(path + "/index", options.memory, logger, fresh: rebuilding)
                opened = index
                checkpoint = LogPosition(rawValue: index.checkpoint)
                return checkpoint
            },
            replay: { record in
                guard let change = IndexChange(record) else {
                    throw StorageError.unavailable("record of unknown type \(record.type) at \(record.position)")
                }
                changes.append(change)
                reached = record.end
                if changes.count >= 1000 { try apply() }
            })
        do { try apply() } catch {
            log.stop()
            throw error
        }
        self.log = log
        index = opened!
        isTruncated = report.damages.contains { $0.kind == .truncated }
        let lost = report.damages.filter { $0.kind == .unreadable || $0.kind == .missing }
        // What a doubt in the log speaks of already is no news, though an index made anew meets it again.
        let known = max(checkpoint.rawValue, opened!.doubt)
        let isNews = rebuilding || lost.contains { $0.position.rawValue >= known }
        doubt = isNews ? report.end : nil
        Self.tell(report, path: path, logger: logger)
    }

    /// An index that cannot be opened is made anew: the log has everything. The log's lock is held, so nobody uses it.
    private static func openIndex(
        _ path: String, _ memory: IndexMemory, _ logger: Logger, fresh: Bool
    ) throws -> MetadataIndex {
        if fresh { try? FileManager.default.removeItem(atPath: path) }
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        do { return try MetadataIndex(path: path, memory: memory) } catch let error as IndexError
            where error.isCorruption
        {
            logger.error(
                "the index cannot be opened and is rebuilt from the log",
                metadata: ["path": "\(path)", "error": "\(error)"])
            try FileManager.default.removeItem(atPath: path)
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
            return try MetadataIndex(path: path, memory: memory)
        }
    }

    private static func tell(_ report: RecoveryReport, path: String, logger: Logger) {
        for damage in report.damages {
            logger.error("damage in the log", metadata: ["disk": "\(path)", "damage": "\(damage)"])
        }
        if let cut = report.cut {
            logger.notice(
                "an interrupted write was cut off",
                metadata: ["disk": "\(path)", "at": "\(cut.position)", "bytes": "\(cut.size)"])
        }
        logger.info(
            "disk opened", metadata: ["disk": "\(path)", "replayed": "\(report.replayed)", "end": "\(report.end)"])
    }
}
