import ArgumentParser
import ClusterState
import Foundation
import MessageBus
import Model
import ProcessRuntime
import TapRecordings
import Wire

/// `martlet-tap`.
public struct TapTool: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "martlet-tap",
        abstract: "Shows the live messages of a Martlet cluster.",
        discussion: """
            Every process shows what it asks of others, the answers that it gets, and what it publishes: one line each. \
            Tapping never slows a process down: what the tap cannot take in time is lost, and counted on standard error.

            The file admin.toml, which the manager writes at its first start, tells how to reach the cluster: give its \
            path with --admin or in MARTLET_ADMIN.

            Exit status: 0 done (also when interrupted), 2 wrong usage, 3 the cluster cannot be reached.

            EXAMPLES:
              martlet-tap
              martlet-tap --type stage --type commit --key photos/2024
              martlet-tap --node gateway-1 --peer storage-2 --json --count 100
              martlet-tap --duration 10 --record quiet-hour.tap
              martlet-tap --read quiet-hour.tap --status diskFull
            """,
        version: Version.current)

    @Option(
        help: ArgumentHelp("The administrator's file. Default: $MARTLET_ADMIN.", valueName: "file"),
        completion: .file(extensions: ["toml"]))
    var admin: String?
    @Option(help: ArgumentHelp("Listen to this process only; may be repeated.", valueName: "name"))
    var node: [String] = []
    @OptionGroup(title: "Filters") var filters: FilterOptions
    @Flag(help: "One JSON object a line; its keys are stable.")
    var json = false
    @Option(help: ArgumentHelp("Stop after this many lines.", valueName: "n"))
    var count: Int?
    @Option(help: ArgumentHelp("Stop after this many seconds.", valueName: "seconds"))
    var duration: Double?
    @Option(help: ArgumentHelp("Also write what is shown to a file.", valueName: "file"), completion: .file())
    var record: String?
    @Option(
        help: ArgumentHelp("Show a recording instead of the live cluster.", valueName: "file"), completion: .file())
    var read: String?

    public init() {}

    public func validate() throws {
        if let count, count < 1 { throw ValidationError("--count is at least 1") }
        if let duration, !(0...1e9).contains(duration) { throw ValidationError("--duration is a number of seconds") }
        if read != nil, record != nil { throw ValidationError("--read and --record exclude each other") }
        _ = try filters.filter
    }

    /// Parses the arguments, runs, and ends the process with the exit status that the help promises.
    public static func run() async -> Never {
        do {
            let tool = try parse()
            try await tool.run()
            Foundation.exit(0)
        } catch let failure as TapFailure {
            StandardError.write("martlet-tap: \(failure.message)")
            Foundation.exit(failure.status)
        } catch let failure as RecordingError {
            StandardError.write("martlet-tap: \(failure)")
            Foundation.exit(2)
        } catch {
            // Help and completion scripts are errors of the parser that are none.
            guard exitCode(for: error) != .success else { exit(withError: error) }
            StandardError.write(fullMessage(for: error))
            Foundation.exit(2)
        }
    }

    public func run() async throws {
        do {
            if let read { try show(recording: read) } else { try await listen() }
        } catch is OutputClosed {
            return
        }
    }

    private func output() throws -> TapOutput {
        TapOutput(
            filter: try filters.filter, json: json, limit: count, recording: try record.map(RecordingWriter.init))
    }

    private func show(recording path: String) throws {
        let output = try output()
        let names = Set(node)
        var reader = try RecordingReader(path: path)
        while let record = try reader.next() {
            guard names.isEmpty || names.contains(record.process) else { continue }
            guard try output.show(record) else { return }
        }
    }

    private func listen() async throws {
        let output = try output()
        let source = try LiveSource(credentials: credentials(), nodes: node.map { NodeName($0) })
        let signals = TerminationSignals()
        let interruption = Task {
            await signals.wait()
            source.finish()
        }
        defer { interruption.cancel() }
        let timer = duration.map { seconds in
            Task {
                try await Task.sleep(for: .seconds(seconds))
                source.finish()
            }
        }
        defer { timer?.cancel() }
        do {
            try await source.start()
            for await event in source.events {
                switch event {
                case .record(let record): if try !output.show(record) { source.finish() }
                case .lost(let count, let node):
                    StandardError.write("martlet-tap: \(count) records of \(node) were lost")
                }
            }
        } catch {
            await source.stop()
            throw error
        }
        await source.stop()
        try output.close()
    }

    private func credentials() throws -> AdminCredentials {
        let variable = ProcessInfo.processInfo.environment[AdminCredentials.environmentVariable]
        guard let path = admin ?? variable else {
            throw TapFailure(
                2, "no administrator's file: give --admin FILE or set \(AdminCredentials.environmentVariable)")
        }
        do { return try AdminCredentials(path: path) } catch { throw TapFailure(2, "\(error)") }
    }
}

/// Why the tool ends, with its exit status.
struct TapFailure: Error, Equatable {
    let status: Int32
    let message: String

    init(_ status: Int32, _ message: String) {
        self.status = status
        self.message = message
    }
}

enum StandardError {
    static func write(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
}
