import ArgumentParser
import ClusterState
import Foundation

struct TasksCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tasks", abstract: "Background work of the whole cluster: shows, pauses, slows and ends it.",
        discussion: """
            EXAMPLES:
              martlet-adm tasks
              martlet-adm tasks list --watch
              martlet-adm tasks pause repair:anti-entropy
              martlet-adm tasks throttle repair:12 --objects 100 --bytes 10485760
            """,
        subcommands: [
            TasksList.self, TasksPause.self, TasksResume.self, TasksCancel.self, TasksThrottle.self,
        ], defaultSubcommand: TasksList.self)
}

struct TasksList: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "Every task with state, progress, rate, estimated end and proof.",
        discussion: """
            With --watch the list is printed again every two seconds, until nothing that an operator asked for waits or \
            runs. Tasks without a number in their name always come again.

            EXAMPLE: martlet-adm tasks list --watch
            """)
    @OptionGroup var options: ConnectionOptions
    @Flag(help: "Print it again every two seconds until no numbered task waits or runs.") var watch = false

    var verb: String { "tasks" }
    func text(_ json: [UInt8]) throws -> String { TaskText.list(try report(TasksReport.self, json)) }

    mutating func run() async throws {
        while true {
            let json = try await options.call(verb, [])
            try print(options.json ? String(decoding: json, as: UTF8.self) : text(json))
            guard watch, try report(TasksReport.self, json).tasks.contains(where: \.isOpen) else { return }
            fflush(nil)
            try await Task.sleep(for: .seconds(2))
        }
    }
}

extension TasksReport.Item {
    /// An operator asked for it, and it is not over.
    var isOpen: Bool {
        let name = id.split(separator: ":").last.map(String.init) ?? ""
        return UInt64(name) != nil && ["waiting", "running", "paused"].contains(state)
    }
}

/// A verb about one task.
protocol TaskChange: VerbCommand {
    var id: String { get }
}

extension TaskChange {
    var verb: String { "tasks-" + (Self.configuration.commandName ?? "") }
    var verbArguments: [String] { [id] }
}

struct TasksPause: TaskChange {
    static let configuration = CommandConfiguration(
        commandName: "pause", abstract: "Stops a task where it is, until tasks resume, also over a restart.",
        discussion: "EXAMPLE: martlet-adm tasks pause repair:anti-entropy")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "Its id in tasks.") var id: String
}

struct TasksResume: TaskChange {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Lets a paused task go on.",
        discussion: "EXAMPLE: martlet-adm tasks resume repair:anti-entropy")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "Its id in tasks.") var id: String
}

struct TasksCancel: TaskChange {
    static let configuration = CommandConfiguration(
        commandName: "cancel", abstract: "Ends a task that an operator asked for. What it has repaired stays.",
        discussion: "EXAMPLE: martlet-adm tasks cancel repair:12")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "Its id in tasks.") var id: String
}

struct TasksThrottle: TaskChange {
    static let configuration = CommandConfiguration(
        commandName: "throttle", abstract: "Limits the rate of a repair task; without options, to the settings again.",
        discussion: "EXAMPLE: martlet-adm tasks throttle repair:anti-entropy --bytes 10485760")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "Its id in tasks.") var id: String
    @Option(help: "Objects and chunks per second; 0: as repair.rate_objects_per_second says.") var objects = 0
    @Option(help: "Bytes per second; 0: as repair.rate_bytes_per_second says.") var bytes = 0

    var verbArguments: [String] { [id, "\(objects)", "\(bytes)"] }
}
