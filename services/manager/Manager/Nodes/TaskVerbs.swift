import ClusterState
import MessageBus
import Model
import Wire

/// `tasks`: background work of all processes that have some, and what is done about one task.
struct TaskVerbs: Sendable {
    static let changes: Set<String> = ["tasks-pause", "tasks-resume", "tasks-cancel", "tasks-throttle"]
    private static let timeout = Duration.seconds(3)

    let nodes: NodeVerbs

    /// Asks every process that should be there; those that do not answer are named.
    func report() async throws -> TasksReport {
        let processes = nodes.cluster.view.members.values
            .filter { [.repair, .replicator, .storage].contains($0.role) && $0.state == .running }
            .map { NodeName($0.name) }.sorted()
        let answers = await withTaskGroup(of: (NodeName, Result<TasksReport, VerbError>).self) { group in
            for process in processes { group.addTask { (process, await ask(process)) } }
            return await group.reduce(into: [:]) { $0[$1.0] = $1.1 }
        }
        var report = TasksReport(tasks: [])
        for process in processes {
            switch answers[process] {
            case .success(let found)?: report.tasks += found.tasks
            case .failure(let error)?: report.failureNodes.append(.init(node: process.rawValue, cause: error.message))
            case nil: break
            }
        }
        return report
    }

    private func ask(_ process: NodeName) async -> Result<TasksReport, VerbError> {
        do {
            let json = try await nodes.forward("tasks", to: process, [], until: .now + Self.timeout)
            return .success(try ReportCoding.decode(TasksReport.self, from: json))
        } catch let error as VerbError {
            return .failure(error)
        } catch {
            return .failure(VerbError(.internalError, "the answer is not understood: \(error)"))
        }
    }

    /// The first argument is PROCESS:NAME.
    func change(
        _ verb: String, _ arguments: [String], until deadline: ContinuousClock.Instant
    ) async throws -> [UInt8] {
        let parts = (arguments.first ?? "").split(separator: ":", maxSplits: 1).map(String.init)
        guard parts.count == 2 else {
            throw VerbError(.invalidArgument, "a task's id is PROCESS:NAME, as `tasks` shows it")
        }
        return try await nodes.forward(
            verb, to: NodeName(parts[0]), [parts[1]] + arguments.dropFirst(), until: deadline)
    }
}
