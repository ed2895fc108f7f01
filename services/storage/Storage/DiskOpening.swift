import Foundation
import Logging
import MetadataIndex
import Model
import ObjectLog

/// Brings log and index of a disk in step.
struct DiskOpening {
    let path: String
    let options: DiskOptions
    let files: any LogDirectory
    let logger: Logger
    let onReplay: (ReplayedRecord) -> Void

    /// With the index as it is if it can be used. Otherwise, and when asked to, it is made anew from the log.
    func open(rebuildsIndex: Bool) throws -> OpenedDisk {
        if let opened = try openUnlessEndIsLost(rebuildsIndex: rebuildsIndex) { return opened }
        // The index tells of records that are gone with the end of the log. Without it, what is left can be trusted
        // to be there, but not to be the newest: the replica abstains until it has learned every key anew.
        return try OpenedDisk(self, index: .fresh, hasLostEnd: true)
    }

    /// nil: the log once was longer. Then nothing stays open.
    private func openUnlessEndIsLost(rebuildsIndex: Bool) throws -> OpenedDisk? {
        let known = rebuildsIndex ? checkpointOfOldIndex : 0
        let opened = try rebuildsIndex ? OpenedDisk(self, index: .fresh) : openOrRebuild()
        guard opened.isTruncated || opened.log.end.rawValue < known else { return opened }
        opened.log.stop()
        return nil
    }

    /// The old index, if it can be read, still tells how far the log went.
    private var checkpointOfOldIndex: UInt64 {
        guard let owner = try? LogOwner.read(files) else { return 0 }
        let index = try? MetadataIndex(path: indexPath, memory: options.memory, disk: owner.disk)
        return index?.checkpoint ?? 0
    }

    private func openOrRebuild() throws -> OpenedDisk {
        do { return try OpenedDisk(self, index: .kept) } catch let error as IndexError where error.isCorruption {
            logger.error(
                "the index cannot be used and is rebuilt from the log",
                metadata: ["disk": "\(path)", "error": "\(error)"])
            return try OpenedDisk(self, index: .fresh)
        }
    }

    fileprivate var indexPath: String { path + "/index" }

    /// The log's lock is held, so nobody uses it.
    fileprivate func openIndex(_ kind: OpenedDisk.IndexKind) throws -> MetadataIndex {
        if kind == .fresh, FileManager.default.fileExists(atPath: indexPath) {
            try FileManager.default.removeItem(atPath: indexPath)
        }
        try FileManager.default.createDirectory(atPath: indexPath, withIntermediateDirectories: true)
        guard let owner = try LogOwner.read(files) else { throw StorageError.unavailable("the log has no owner") }
        return try MetadataIndex(path: indexPath, memory: options.memory, disk: owner.disk)
    }
}

/// Log and index of a disk, in step.
struct OpenedDisk {
    enum IndexKind { case kept, fresh }

    let log: ObjectLog
    let index: MetadataIndex
    /// The log lost its end.
    let isTruncated: Bool
    /// Records before this position were lost, nobody knows of which keys.
    let doubt: LogPosition?

    /// `hasLostEnd`: it is known that the log once was longer.
    fileprivate init(_ opening: DiskOpening, index kind: IndexKind, hasLostEnd: Bool = false) throws {
        var replay = IndexReplay()
        let configuration = ObjectLogConfiguration(
            node: opening.options.node, segmentSize: opening.options.segmentSize, reserve: opening.options.reserve)
        let (log, report) = try ObjectLog.open(
            opening.files, configuration: configuration,
            checkpoint: { try replay.begin(opening.openIndex(kind)) },
            replay: { record in
                try replay.add(record)
                opening.onReplay(record)
            })
        do { try replay.finish() } catch {
            log.stop()
            throw error
        }
        self.log = log
        let index = replay.index!
        self.index = index
        isTruncated = report.damages.contains { $0.kind == .truncated }
        let lost = report.damages.filter {
            [.unreadable, .missing, .lostEnd, .lostSegment, .truncatedSegment].contains($0.kind)
        }
        // What a doubt in the log speaks of already is no news, though an index made anew meets it again.
        // It may have been settled since.
        let known = max(replay.checkpoint.rawValue, index.doubt, index.doubtedThroughout)
        let isNews =
            hasLostEnd || lost.contains { $0.kind == .lostEnd || $0.position.rawValue >= known }
        doubt = isNews ? report.end : nil
        Self.tell(report, path: opening.path, logger: opening.logger)
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

/// Gives records to an index, many at a time.
private struct IndexReplay {
    private(set) var index: MetadataIndex?
    private(set) var checkpoint = LogPosition.start
    private var changes: [IndexChange] = []
    private var reached = LogPosition.start

    private static let batchSize = 1000

    /// Answers from where on records are wanted.
    mutating func begin(_ index: MetadataIndex) -> LogPosition {
        self.index = index
        checkpoint = LogPosition(rawValue: index.checkpoint)
        return checkpoint
    }

    mutating func add(_ record: ReplayedRecord) throws {
        guard let change = IndexChange(record) else {
            throw StorageError.unavailable("record of unknown type \(record.type) at \(record.position)")
        }
        changes.append(change)
        reached = record.end
        if changes.count >= Self.batchSize { try finish() }
    }

    mutating func finish() throws {
        guard let index, !changes.isEmpty else { return }
        try index.apply(changes, checkpoint: reached.rawValue, milliseconds: DiskReplica.wallMilliseconds)
        changes.removeAll(keepingCapacity: true)
    }
}
