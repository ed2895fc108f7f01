import ArgumentParser
import Configuration
import Foundation
import TapRecordings
import Wire

struct ReplayCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "replay", abstract: "Makes the requests again that a recording of martlet-tap shows.",
        discussion: """
            The messages of the bus carry the id of the client's request that caused them. From each group it follows whether \
            it was a put, get, head, delete or listing, of which key, and how large; these are made of --bucket, in the same order and \
            with the same distances in time, or --speed times as fast. Latency counts from when a request was due. A part of \
            an upload is replayed as an object of its own. What is read before it is put is put before the replay.

            Record what a gateway asks with `martlet-tap --node gateway --record FILE`.

            EXAMPLES:
              martlet-load replay quiet-hour.tap
              martlet-load replay quiet-hour.tap --speed 4 --bucket replay --json
              martlet-load replay quiet-hour.tap --speed max --concurrency 64
              martlet-load replay quiet-hour.tap --dry-run
            """)

    @Argument(help: "File that `martlet-tap --record` wrote.", completion: .file())
    var file: String
    @Option(help: "Factor on the speed of the recording, or `max`: as fast as the clients can.")
    var speed = "1"
    @Option(help: "Requests at a time; those that are due must wait for a free client.")
    var concurrency = 64
    @Option(help: "What all keys begin with; the first digits of the recorded bucket's id follow.")
    var prefix = "replay/"
    @Option(help: "Keys in one listing.")
    var listKeys = 1000
    @Option(help: "Size of objects of which the recording does not show it.")
    var size = "4KiB"
    @Flag(inversion: .prefixedNo, help: "Put before the replay what it reads before it puts it.")
    var prepare = true
    @Flag(help: "Only say what would be replayed.")
    var dryRun = false
    @OptionGroup(title: "Connection") var connection: ConnectionOptions
    @OptionGroup(title: "Run") var running: RunningOptions

    func validate() throws {
        guard (1...10_000).contains(concurrency) else { throw ValidationError("--concurrency: 1 to 10000") }
        guard listKeys >= 1 else { throw ValidationError("--list-keys: at least 1") }
        _ = try (factor(), bytes())
    }

    func run() async throws {
        let load = RecordedLoad(try records(), prefix: prefix)
        guard !load.requests.isEmpty else {
            throw LoadFailure(.usage, "\(file) shows no request of a client (\(load.background) messages without one)")
        }
        if dryRun { return print(summary(load)) }
        let plan = try plan(load.script(speed: factor()))
        var preparation = plan
        preparation.script = load.preparation(size: try bytes())
        preparation.run += "p"
        let isNeeded = prepare && preparation.script?.operations.isEmpty == false
        try await running.run(
            plan, over: S3Targets(settings: try connection.settings()), preparing: isNeeded ? preparation : nil)
    }

    private func records() throws -> [TapRecord] {
        do {
            var reader = try RecordingReader(path: file)
            var records: [TapRecord] = []
            while let record = try reader.next() { records.append(record) }
            return records
        } catch let error as RecordingError {
            throw LoadFailure(.usage, error.description)
        }
    }

    private func plan(_ script: LoadScript) throws -> LoadPlan {
        LoadPlan(
            mix: [(.put, 1)], bucket: connection.bucket,
            keys: KeyChoice(prefix: prefix, count: 1, distribution: .sequential),
            sizes: SizeChoice([.init(sizes: try bytes()...(try bytes()), weight: 1)]),
            partSize: MultipartUpload.partSizeMin, concurrency: concurrency, retries: running.retries, seed: 0,
            listKeys: listKeys, checks: running.check, run: LoadPlan.newRun(), script: script)
    }

    private func summary(_ load: RecordedLoad) -> String {
        let kinds = Dictionary(grouping: load.requests, by: \.operation.operation).mapValues(\.count)
        let counts = LoadOperation.allCases.compactMap { kind in kinds[kind].map { "\($0) \(kind)" } }
        let seconds = LoadReport.number(Double(load.requests.last?.due ?? 0) / 1e9)
        return "\(load.requests.count) requests in \(seconds) s: \(counts.joined(separator: ", ")); "
            + "\(load.leftOut) other requests and \(load.background) messages without a request are left out"
    }

    /// nil: as fast as possible.
    private func factor() throws -> Double? {
        guard speed != "max" else { return nil }
        guard let factor = Double(speed), (0.001...1000).contains(factor) else {
            throw ValidationError("--speed: 0.001 to 1000, or max")
        }
        return factor
    }

    private func bytes() throws -> Int {
        do { return try ByteSize(parsing: .text(size)).bytes } catch {
            throw ValidationError("--size: \(error.reason)")
        }
    }
}
