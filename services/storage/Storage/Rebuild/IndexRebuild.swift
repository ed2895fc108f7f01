import Foundation
import Logging
import MetadataIndex
import Model
import ObjectLog
import Observability

/// Makes the index of one disk anew from its log alone. The node must not be running: the log's lock is taken.
struct IndexRebuild {
    let path: String
    let options: DiskOptions
    let logger: Logger

    struct Summary: Equatable {
        var segments = 0
        var records = 0
        var seconds = 0.0
        var totals = StorageTotals()
        /// Records of unknown keys were lost: the disk does not vote for keys that are older than this.
        var doubtBefore: LogPosition?
    }

    /// Afterwards the index is durable. `report` is called now and then.
    func run(_ report: @escaping (RebuildProgress) -> Void) throws -> Summary {
        guard try DiskReplica.hasLog(path: path) else { throw StorageError.notFound("\(path) has no object log") }
        var progress = RebuildProgress(segments: try segments())
        let replica = try DiskReplica.open(
            path: path, options: options, staged: StagedBlobs(sizeMax: 0), metrics: StorageMetrics(MetricsRegistry()),
            logger: logger, rebuildsIndex: true,
            onReplay: { record in
                progress.note(record)
                report(progress)
            })
        defer { replica.stop() }
        try replica.index.flush()
        let doubt = replica.index.doubt
        return Summary(
            segments: progress.segments.count, records: progress.records, seconds: progress.elapsed,
            totals: replica.index.totals, doubtBefore: doubt == 0 ? nil : LogPosition(rawValue: doubt))
    }

    /// Numbers and sizes of the segments.
    private func segments() throws -> [UInt32: Int] {
        let files = try RealDirectory(path + "/log")
        var sizes: [UInt32: Int] = [:]
        for name in try files.names() where name.hasPrefix("segment-") && name.hasSuffix(".log") {
            guard let number = UInt32(name.dropFirst("segment-".count).dropLast(".log".count)) else { continue }
            sizes[number] = try files.open(name).size()
        }
        return sizes
    }
}

/// How far the rebuild of an index has come.
struct RebuildProgress {
    /// Numbers and sizes.
    let segments: [UInt32: Int]
    private let order: [UInt32]
    private let bytesTotal: Int
    private let begin = ContinuousClock.now
    private(set) var records = 0
    /// Bytes of log behind which the records stand that were met last.
    private(set) var bytes = 0
    private(set) var segmentsDone = 0
    private var bytesBefore = 0
    private var current: UInt32?

    init(segments: [UInt32: Int]) {
        self.segments = segments
        order = segments.keys.sorted()
        bytesTotal = segments.values.reduce(0, +)
    }

    mutating func note(_ record: ReplayedRecord) { note(record.end) }

    mutating func note(_ end: LogPosition) {
        records += 1
        if end.segment != current {
            current = end.segment
            segmentsDone = order.firstIndex(of: end.segment) ?? order.count
            bytesBefore = order[..<segmentsDone].reduce(0) { $0 + (segments[$1] ?? 0) }
        }
        bytes = bytesBefore + Int(end.offset)
    }

    var elapsed: Double { (ContinuousClock.now - begin) / .seconds(1) }

    /// Seconds, if it goes on like this. The last segments may be empty, so it rather ends sooner.
    func remaining(after elapsed: Double) -> Double {
        bytes == 0 ? 0 : elapsed * Double(max(0, bytesTotal - bytes)) / Double(bytes)
    }

    var text: String {
        let elapsed = elapsed
        return "segment \(segmentsDone + 1) of \(order.count), \(records) records, \(bytes >> 20) of "
            + "\(bytesTotal >> 20) MiB, \(Int(elapsed)) s, about \(Int(remaining(after: elapsed).rounded(.up))) s left"
    }
}
