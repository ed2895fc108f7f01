import ClusterState
import MessageBus
import Model
import ObjectAccess

/// The verbs `tasks`, `tasks-pause`, `tasks-resume`, `tasks-cancel` and `tasks-throttle` of a repair process.
struct TaskCommands: Sendable {
    let process: NodeName
    let runner: TaskRunner

    /// JSON; nil: not one of these verbs.
    func run(_ verb: String, _ arguments: [String]) throws -> [UInt8]? {
        switch verb {
        case "tasks": return try ReportCoding.encode(report)
        case "tasks-pause": try refusing(arguments) { id throws(TaskSchedule.Refusal) in try runner.pause(id, true) }
        case "tasks-resume": try refusing(arguments) { id throws(TaskSchedule.Refusal) in try runner.pause(id, false) }
        case "tasks-cancel": try refusing(arguments) { id throws(TaskSchedule.Refusal) in try runner.cancel(id) }
        case "tasks-throttle":
            let throttle = try throttle(arguments)
            try refusing(arguments) { id throws(TaskSchedule.Refusal) in try runner.throttle(id, throttle) }
        default: return nil
        }
        return try ReportCoding.encode(DoneReport())
    }

    var report: TasksReport {
        let now = WallClock.milliseconds
        return TasksReport(
            tasks: runner.tasks.map { TasksReport.Item($0.task, of: process, rates: $0.rates, now: now) })
    }

    /// Arguments: name, objects per second, bytes per second; 0: as the settings say.
    private func throttle(_ arguments: [String]) throws -> TaskThrottle {
        guard arguments.count == 3, let objects = Int(arguments[1]), let bytes = Int(arguments[2]),
            (0...1_000_000).contains(objects), (0...1 << 40).contains(bytes)
        else { throw BusError(.invalidArgument, "tasks-throttle ID OBJECTS-PER-SECOND BYTES-PER-SECOND") }
        return TaskThrottle(objectsPerSecond: objects, bytesPerSecond: bytes)
    }

    private func refusing(_ arguments: [String], _ body: (String) throws(TaskSchedule.Refusal) -> Void) throws {
        guard let id = arguments.first else { throw BusError(.invalidArgument, "which task?") }
        do throws(TaskSchedule.Refusal) { try body(id) } catch {
            throw BusError(error)
        }
    }
}

extension BusError {
    init(_ refusal: TaskSchedule.Refusal) {
        switch refusal {
        case .unknown: self.init(.notFound, "no such task; see martlet-adm tasks")
        case .over: self.init(.conflict, "the task is over")
        case .standing: self.init(.invalidArgument, "this task always comes again: pause it instead")
        case .full: self.init(.overloaded, "\(TaskSchedule.openMax) tasks wait already")
        }
    }
}
