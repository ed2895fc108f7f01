import ArgumentParser
import Foundation
import Model

/// `martlet-load`.
public struct LoadCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "martlet-load",
        abstract: "Puts load on a Martlet cluster or any S3 endpoint, checks every byte, and measures.",
        discussion: """
            Exit status: 0 all went well, 1 operations failed, content was wrong or a check found a fault, 2 wrong usage or \
            an unreadable file, 3 the cluster cannot be reached or cannot be used for this.

            EXAMPLES:
              martlet-load run --mix put --count 10000 --size 4KiB --concurrency 16
              martlet-load run --duration 30s --size 1KiB..2MiB --history history.jsonl
              martlet-load bus --mix ping --duration 5s
              martlet-load replay quiet-hour.tap --speed 2
              martlet-load verify history.jsonl
              martlet-load check acknowledged.jsonl
            """,
        version: Version.current,
        subcommands: [
            RunCommand.self, BusCommand.self, ReplayCommand.self, VerifyCommand.self, CheckCommand.self,
        ],
        defaultSubcommand: RunCommand.self)

    public init() {}
}

/// How the tool ends.
enum LoadExit: Int32 {
    case failed = 1
    case usage = 2
    case unreachable = 3
}

/// Ends the tool with a sentence.
struct LoadFailure: Error, CustomStringConvertible {
    let exit: LoadExit
    let description: String

    init(_ exit: LoadExit, _ description: String) {
        self.exit = exit
        self.description = description
    }
}

/// Entry point of the executable: parses the arguments, runs, and ends the process as the help promises.
public func runLoadTool() async -> Never {
    do {
        var command = try LoadCommand.parseAsRoot()
        if var asynchronous = command as? any AsyncParsableCommand {
            try await asynchronous.run()
        } else {
            try command.run()
        }
        exit(0)
    } catch let failure as LoadFailure {
        complain("martlet-load: \(failure)")
        exit(failure.exit.rawValue)
    } catch let code as ExitCode {
        exit(code.rawValue)
    } catch let failure as ConnectionFailure {
        complain("martlet-load: \(failure)")
        exit(LoadExit.unreachable.rawValue)
    } catch {
        // Help and completion scripts are errors of the parser that are none.
        guard LoadCommand.exitCode(for: error) != .success else { LoadCommand.exit(withError: error) }
        complain(LoadCommand.fullMessage(for: error))
        exit(LoadExit.usage.rawValue)
    }
}

private func complain(_ line: String) { FileHandle.standardError.write(Data((line + "\n").utf8)) }
