import ClusterState
import Foundation
import MessageBus
import Model
import ObjectLog

/// Verbs about one storage node. May block.
struct NodeCommands {
    let engine: StorageEngine

    /// JSON; nil: not a verb of storage nodes.
    func run(_ verb: String, _ arguments: [String]) throws -> [UInt8]? {
        switch verb {
        case "du": try ReportCoding.encode(usage)
        case "mq-stats": try ReportCoding.encode(queues)
        case "status": try ReportCoding.encode(status)
        case "compact-start": try compactStart(arguments)
        case "compact-suspend": try compactSuspend()
        case "compact-resume": try compactResume()
        case "compact-status": try ReportCoding.encode(engine.compactionReport)
        case "whereis": try ReportCoding.encode(try register(arguments))
        default:
            try ScrubCommands(engine: engine).run(verb, arguments)
                ?? DiskCommands(engine: engine).run(verb, arguments)
                ?? TaskCommands(engine: engine).run(verb, arguments)
        }
    }

    private var usage: DiskUsageReport {
        DiskUsageReport(
            disks: engine.slots.map { slot in
                let totals = (try? slot.replica.get())?.index.totals
                return DiskUsageReport.Disk(
                    path: slot.path, activeObjects: totals?.activeRecords ?? 0, totalObjects: totals?.totalRecords ?? 0,
                    activeSize: totals?.activeBytes ?? 0, totalSize: totals?.totalBytes ?? 0,
                    state: Self.usageState(engine.state(of: slot)))
            }, lastCompactionStart: engine.compactionReport.compactionStatus.lastCompactionStart,
            lastCompactionEnd: engine.compactionReport.compactionStatus.lastCompactionEnd)
    }

    /// As `du` has called it from the beginning.
    private static func usageState(_ state: DiskSlot.State) -> String { state == .running ? "ok" : state.rawValue }

    private var queues: QueuesReport {
        let count = engine.hintCount
        return QueuesReport(mqStats: [
            .init(
                id: "hints", state: count == 0 ? "idling" : "running", messages: count,
                description: "writes that other replicas missed")
        ])
    }

    // MARK: - Status

    private struct Status: Encodable {
        struct Disk: Encodable {
            var path: String
            var state: String
            var reason: String?
            var logEnd: String?
            var tombstones: UInt64?
            /// Records were lost: keys older than this position of the log, in some slots, are not voted on.
            var doubtBefore: String?
            var doubtfulSlots: Int?
        }
        var disks: [Disk]
        var hints: UInt64
        var stagedBytes: Int
    }

    private var status: Status {
        let disks = engine.slots.map { slot -> Status.Disk in
            switch slot.replica {
            case .failure(let error):
                return Status.Disk(path: slot.path, state: engine.state(of: slot).rawValue, reason: error.description)
            case .success(let disk):
                let doubts = disk.doubts
                return Status.Disk(
                    path: slot.path, state: engine.state(of: slot).rawValue, reason: disk.failure?.description,
                    logEnd: "\(disk.log.end)", tombstones: disk.index.totals.tombstones,
                    doubtBefore: doubts.map(\.position).max().map { "\(LogPosition(rawValue: $0))" },
                    doubtfulSlots: doubts.isEmpty ? nil : doubts.reduce(0) { $0 + $1.slots.slots.count })
            }
        }
        return Status(disks: disks, hints: engine.hintCount, stagedBytes: engine.stagedBytes)
    }

    // MARK: - One key

    private struct Register: Encodable {
        var present: Bool
        var tag: String?
        var sequence: UInt64?
        var deleted: Bool?
        var size: UInt64?
        var position: String?
    }

    /// Arguments: bucket id in hex, key. What this disk has durably, whatever a quorum says.
    private func register(_ arguments: [String]) throws -> Register {
        guard arguments.count == 2, let bucket = BucketID(hex: arguments[0]) else {
            throw BusError(.invalidArgument, "whereis BUCKET-ID KEY")
        }
        let name = RegisterName(bucket: bucket, key: Array(arguments[1].utf8))
        guard let found = try engine.disk(of: name).index.register(name) else { return Register(present: false) }
        return Register(
            present: true, tag: "\(found.value.tag)", sequence: found.value.sequence,
            deleted: found.value.isTombstone, size: found.value.contentSize,
            position: "\(LogPosition(rawValue: found.position))")
    }
}
