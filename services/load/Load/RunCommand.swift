import ArgumentParser
import Configuration
import Foundation

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Runs operations and reports rates and latencies. Exit code 1 when any failed.")

    @Option(help: "What to do: put, multipart, get, head, delete, list, mixed, or shares: put=30,get=60,delete=10.")
    var mix = "mixed"
    @OptionGroup var connection: ConnectionOptions
    @Option(help: "Clients, each with a connection of its own.")
    var concurrency = 16
    @Option(help: "End after so many operations.")
    var count: Int?
    @Option(help: "End after this time, such as 30s (a plain number: seconds). Default without --count: 10s.")
    var duration: String?
    @Option(help: "Sizes of the objects that are put: 4KiB, 1KiB..1MiB, or with shares: 4KiB=80,1MiB..8MiB=20.")
    var size = "4KiB"
    @Option(help: "Size of the parts of multipart.")
    var partSize = "8MiB"
    @Option(help: "Number of different keys.")
    var keys = 1000
    @Option(help: "How keys are chosen: uniform, sequential or zipf. Default: sequential for put alone, else uniform.")
    var distribution: String?
    @Option(help: "What all keys begin with.")
    var prefix = "load/"
    @Option(help: "Operations a second, of all clients together. Default: no limit.")
    var rate: Double?
    @Option(help: "How often a failed operation is tried again.")
    var retries = 0
    @Option(help: "Keys in one listing.")
    var listKeys = 1000
    @Flag(inversion: .prefixedNo, help: "Compare what is read with what was written; it is named in user metadata.")
    var check = true
    @Flag(help: "Put every key once before the run.")
    var prepare = false
    @Option(help: "Makes the choices repeatable.")
    var seed: UInt64?
    @Option(help: "Threads of this tool.")
    var threads = 1
    @Option(help: "Write all operations to this file, for `verify`.")
    var history: String?
    @Option(help: "Write all puts and deletes to this file, for `check`.")
    var acknowledged: String?
    @Option(
        help: "Measure these processes: ids with commas between them. Default: those of the cluster in $MARTLET_DATA.")
    var pids: String?
    @Flag(help: "The result as JSON.")
    var json = false
    @Flag(inversion: .prefixedNo, help: "Show progress on standard error. Default: on a terminal.")
    var progress: Bool?

    func run() async throws {
        let recorders =
            (try history.map { [try OperationRecorder(path: $0, writesOnly: false)] } ?? [])
            + (try acknowledged.map { [try OperationRecorder(path: $0, writesOnly: true)] } ?? [])
        var runner = LoadRunner(
            plan: try plan(), settings: try connection.settings(), recorders: recorders, processes: [:],
            showsProgress: progress ?? (isatty(2) == 1), threads: threads)
        if prepare { try await runner.preparing().run() }
        runner.processes = try processes()
        let report = try await runner.run()
        print(json ? report.json() : report.text())
        guard report.isGood else { throw ExitCode(1) }
    }

    func validate() throws {
        guard (1...10_000).contains(concurrency) else { throw ValidationError("--concurrency: 1 to 10000") }
        guard (1...64).contains(threads) else { throw ValidationError("--threads: 1 to 64") }
        guard keys >= 1, retries >= 0, listKeys >= 1 else {
            throw ValidationError("--keys, --retries, --list-keys: too small")
        }
        guard rate.map({ $0 > 0 }) ?? true else { throw ValidationError("--rate: must be above 0") }
    }

    private func plan() throws -> LoadPlan {
        guard let mix = LoadPlan.mix(mix) else {
            throw ValidationError(
                "--mix: put, multipart, get, head, delete, list, mixed, or shares such as put=30,get=70")
        }
        let name = distribution ?? (mix.allSatisfy(\.operation.writesContent) ? "sequential" : "uniform")
        guard let distribution = KeyDistribution(rawValue: name) else {
            throw ValidationError("--distribution: uniform, sequential or zipf")
        }
        let bound = try (duration ?? (count == nil ? "10s" : nil))?.asDuration("--duration").components
        return LoadPlan(
            mix: mix, bucket: connection.bucket,
            keys: KeyChoice(prefix: prefix, count: keys, distribution: distribution),
            sizes: try choice(), partSize: try partBytes(), concurrency: concurrency, count: count,
            seconds: bound.map { Double($0.seconds) + Double($0.attoseconds) / 1e18 }, rate: rate, retries: retries,
            seed: seed ?? UInt64.random(in: 0 ... .max), listKeys: listKeys, checks: check,
            run: String(UInt64.random(in: 0 ... .max), radix: 36))
    }

    private func choice() throws -> SizeChoice {
        do { return try SizeChoice(parsing: size) } catch { throw ValidationError("--size: \(error.reason)") }
    }

    private func partBytes() throws -> Int {
        let bytes: Int
        do { bytes = try ByteSize(parsing: .text(partSize)).bytes } catch {
            throw ValidationError("--part-size: \(error.reason)")
        }
        guard bytes >= MultipartUpload.partSizeMin else { throw ValidationError("--part-size: at least 5MiB") }
        return bytes
    }

    private func processes() throws -> [Int32: String] {
        guard let pids else {
            return ProcessInfo.processInfo.environment["MARTLET_DATA"].map(ProcessUsage.ofCluster) ?? [:]
        }
        let numbers = pids.split(separator: ",").map { Int32($0) }
        guard !numbers.contains(nil) else { throw ValidationError("--pids: numbers with commas between them") }
        return Dictionary(numbers.compactMap { $0 }.map { ($0, "") }, uniquingKeysWith: { first, _ in first })
    }
}
