import ArgumentParser
import Model
import ProcessRuntime

@main
enum Program {
    static func main() {
        // As every process of Martlet does: figures of memory depend on it.
        MemoryTuning.apply()
        MartletBenchmark.main()
    }
}

/// Measures the storage engine's parts. docs/internals/performance.md has the figures and the commands.
struct MartletBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "martlet-benchmark",
        abstract: "Measures object log, metadata index, disks, compaction and hashing.",
        discussion: """
            Build with `swift build -c release`. Every benchmark works in a new folder below --directory and removes it.

            EXAMPLE: martlet-benchmark log --directory /data/scratch
            """,
        version: Version.current,
        subcommands: [
            LogBenchmark.self, IndexBenchmark.self, DiskBenchmark.self, CompactionBenchmark.self, HashingBenchmark.self,
        ])
}
