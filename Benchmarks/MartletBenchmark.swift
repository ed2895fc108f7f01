import ArgumentParser
import Model

/// Measures the storage engine's parts. docs/internals/performance.md has the figures and the commands.
@main
struct MartletBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet-benchmark", abstract: "Measures object log, metadata index and disks.",
        discussion: """
            Build with `swift build -c release`. Every benchmark works in a new folder below --directory and removes it.

            EXAMPLE: martlet-benchmark log --directory /data/scratch
            """,
        version: Version.current, subcommands: [LogBenchmark.self, IndexBenchmark.self, DiskBenchmark.self])
}
