import ClusterState
import MessageBus

/// `tasks` and what follows of it, of a storage node: the scrub of each disk, which has verbs of its own too.
struct TaskCommands {
    let engine: StorageEngine

    private static let prefix = "scrub@"

    /// JSON; nil: not one of these verbs.
    func run(_ verb: String, _ arguments: [String]) throws -> [UInt8]? {
        switch verb {
        case "tasks": return try ReportCoding.encode(TasksReport(tasks: engine.scrubbers.map { item($0.status) }))
        case "tasks-pause": try scrubber(arguments).suspend()
        case "tasks-resume": try scrubber(arguments).resume()
        case "tasks-cancel":
            throw BusError(.invalidArgument, "a scrub always comes again: pause it instead")
        case "tasks-throttle":
            throw BusError(.invalidArgument, "scrub-start --rate limits the scrub of a node")
        default: return nil
        }
        return try ReportCoding.encode(DoneReport())
    }

    private func scrubber(_ arguments: [String]) throws -> Scrubber {
        let name = arguments.first ?? ""
        guard let found = engine.scrubbers.first(where: { Self.prefix + $0.status.path == name }) else {
            throw BusError(.notFound, "no such task; see martlet-adm tasks")
        }
        return found
    }

    private func item(_ scrub: ScrubStatus) -> TasksReport.Item {
        let state = ["running": "running", "suspending": "paused"][scrub.state] ?? "waiting"
        var item = TasksReport.Item(
            id: "\(engine.options.node):\(Self.prefix)\(scrub.path)", kind: "scrub", subject: scrub.path, state: state)
        item.unit = "segments"
        item.total = UInt64(max(scrub.segmentsTotal, 0))
        item.done = UInt64(max(scrub.segmentsTotal - scrub.segmentsLeft, 0))
        item.objects = UInt64(max(scrub.rewrittenRegisters, 0))
        item.bytesPerSecond = Double(scrub.rate ?? 0)
        item.bytesPerSecondMax = scrub.rateLimit
        item.startedMilliseconds = scrub.startedMilliseconds ?? 0
        item.finishedMilliseconds = scrub.finishedMilliseconds ?? 0
        if let eta = scrub.etaSeconds {
            item.estimatedEndMilliseconds = DiskReplica.wallMilliseconds + Int64(eta) * 1000
        }
        item.proved = scrub.damagedRecords == 0 && scrub.lastError == nil && item.finishedMilliseconds > 0
        item.result = scrub.lastError ?? "\(scrub.recordsRead) records read, \(scrub.damagedRecords) damaged"
        return item
    }
}
