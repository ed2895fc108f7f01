import ArgumentParser
import Model

/// `martlet-load`.
public struct LoadCommand: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "martlet-load",
        abstract: "Puts load on an S3 endpoint, checks every byte, and measures.",
        discussion: """
            EXAMPLES:
              martlet-load run --mix put --count 10000 --size 4KiB --concurrency 16
              martlet-load run --duration 30s --size 1KiB..2MiB --history history.jsonl
              martlet-load verify history.jsonl
              martlet-load check acknowledged.jsonl
            """,
        version: Version.current, subcommands: [RunCommand.self, VerifyCommand.self, CheckCommand.self],
        defaultSubcommand: RunCommand.self)

    public init() {}
}

/// Entry point of the executable. At the top level of a main file `LoadCommand.main()` would be the synchronous one.
public func runLoadTool() async { await LoadCommand.main() }
