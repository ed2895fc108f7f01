import ArgumentParser
import Foundation
import Logging
import Observability
import Storage

/// Writes of clients with and without compaction beside them, in turns.
struct CompactionBenchmark: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "compaction", abstract: "Writes with and without compaction beside them, and how fast it is.",
        discussion: """
            A disk is filled, then part of it overwritten and deleted. Then pairs of equal lengths of time follow: one \
            without compaction, one with it. Writes come in two ways. Closed loop: a set number is always under way; a \
            stall holds back the writes that would have met it, so it hides in the p99. Open loop: they come at a set \
            rate whatever happens, and latency counts from when each was due, so that a stall counts for all that it \
            delays.
            """)

    @Option(help: "Where to work.") var directory = NSTemporaryDirectory()
    @Option(help: "MiB of content to fill the disk with.") var fill = 1024
    @Option(help: "Percent of that to overwrite or delete, half and half.") var garbage = 50
    @Option(help: "Bytes of each object's content.") var size = 4096
    @Option(help: "Closed loop: writes under way at a time.") var writers = 16
    @Option(help: "Open loop: writes a second.") var rate = 1000
    @Option(help: "MiB a second that compaction reads and writes; 0: as fast as it goes.") var compactionRate = 32
    @Option(help: "Seconds of each half of a pair.") var seconds = 5.0
    @Option(help: "Pairs of each way to write.") var pairs = 3

    func validate() throws {
        guard fill > 0, (1...100).contains(garbage), size > 0, writers > 0, rate > 0, pairs > 0, seconds > 0 else {
            throw ValidationError("every number must be positive, and the garbage at most 100 percent")
        }
    }

    func run() throws {
        let folder = try ScratchFolder(below: directory)
        defer { folder.remove() }
        let engine = try StorageEngine(
            .init(node: "benchmark", dataDirectory: folder.path, disks: [folder.path + "/disk-1"]),
            metrics: MetricsRegistry(), logger: Logger(label: "benchmark"))
        let upkeep = EngineUpkeep(engine)
        defer {
            upkeep.stop()
            engine.stop()
        }
        let content = DiskContent(size: size)
        let writes = WriteCounter(try prepare(engine, content))
        var meter = CompactionMeter(engine, rate: compactionRate << 20)
        try compare("closed loop, \(writers) writers", &meter) {
            try Outstanding(width: writers) { _, done in
                let number = writes.next()
                content.put(number, counter: UInt64(number) + 1, in: engine, done)
            }.run(seconds: seconds)
        }
        try compare("open loop, \(rate) writes/s", &meter) {
            try OpenLoop(perSecond: rate) { _, done in
                let number = writes.next()
                content.put(number, counter: UInt64(number) + 1, in: engine, done)
            }.run(seconds: seconds)
        }
        show(meter.text)
    }

    /// Fills the disk; answers with how many writes that took.
    private func prepare(_ engine: StorageEngine, _ content: DiskContent) throws -> Int {
        let count = fill << 20 / size
        let outcome = try Outstanding(width: 256) { number, done in
            content.put(number, counter: UInt64(number) + 1, in: engine, done)
        }.run(count: count)
        let stale = (0..<count).shuffled().prefix(count * garbage / 100)
        _ = try Outstanding(width: 256) { index, done in
            let counter = UInt64(count + index) + 1
            if index % 2 == 0 {
                content.put(stale[index], counter: counter, in: engine, done)
            } else {
                content.delete(stale[index], counter: counter, in: engine, done)
            }
        }.run(count: stale.count)
        show(
            String(
                format: "filled: %d objects of %d bytes, %.0f/s; %d %% of them overwritten or deleted", count, size,
                outcome.perSecond, garbage))
        return count + stale.count
    }

    private func compare(
        _ title: String, _ meter: inout CompactionMeter, _ measure: () throws -> Outstanding.Outcome
    ) throws {
        var (without, with): ([Outstanding.Outcome], [Outstanding.Outcome]) = ([], [])
        for _ in 0..<pairs {
            without.append(try measure())
            try meter.begin()
            with.append(try measure())
            meter.end()
        }
        show("\(title), medians of \(pairs) pairs:")
        show("  without compaction: " + Self.text(without))
        show("  with compaction:    " + Self.text(with))
        let ratios = zip(with, without).map { $0.latencies.percentile(0.99) / $1.latencies.percentile(0.99) }
        show(
            String(format: "  p99 with / without: %.2f (pairs: ", ratios.median)
                + ratios.map { String(format: "%.2f", $0) }.joined(separator: ", ") + ")")
    }

    private static func text(_ outcomes: [Outstanding.Outcome]) -> String {
        func milliseconds(_ share: Double) -> Double {
            outcomes.map { $0.latencies.percentile(share) * 1e3 }.median
        }
        return String(
            format: "%6.0f writes/s, p50 %.2f ms, p99 %.2f ms, max %.1f ms", outcomes.map(\.perSecond).median,
            milliseconds(0.5), milliseconds(0.99), milliseconds(1))
    }
}

extension [Double] {
    /// Of an even number of values the mean of the two in the middle.
    var median: Double {
        let sorted = sorted()
        guard !sorted.isEmpty else { return 0 }
        return (sorted[(count - 1) / 2] + sorted[count / 2]) / 2
    }
}
