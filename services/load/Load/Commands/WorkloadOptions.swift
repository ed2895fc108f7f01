import ArgumentParser
import Foundation
import Linearizability
import ProcessRuntime

/// What is done to which keys: what `run` and `bus` share.
struct WorkloadOptions: ParsableArguments {
    @Option(help: "Operations at a time, each by a client of its own.")
    var concurrency = 16
    @Option(help: "End after so many operations.")
    var count: Int?
    @Option(help: "End after this time, such as 30s (a plain number: seconds). Default without --count: 10s.")
    var duration: String?
    @Option(help: "Sizes of the objects that are put: 4KiB, 1KiB..1MiB, or with shares: 4KiB=80,1MiB..8MiB=20.")
    var size = "4KiB"
    @Option(help: "Number of different keys.")
    var keys = 1000
    @Option(help: "How keys are chosen: uniform, sequential or zipf. Default: sequential for put alone, else uniform.")
    var distribution: String?
    @Option(help: "What all keys begin with.")
    var prefix = "load/"
    @Option(help: "Operations a second, of all clients together. Default: no limit.")
    var rate: Double?
    @Option(help: "Keys in one listing.")
    var listKeys = 1000
    @Flag(help: "Put every key once before the run.")
    var prepare = false
    @Option(help: "Makes the choices repeatable.")
    var seed: UInt64?

    func validate() throws {
        guard keys >= 1, listKeys >= 1 else { throw ValidationError("--keys, --list-keys: at least 1") }
        guard count.map({ $0 >= 1 }) ?? true else { throw ValidationError("--count: at least 1") }
        guard rate.map({ $0 > 0 }) ?? true else { throw ValidationError("--rate: must be above 0") }
    }

    /// - Parameters:
    ///   - text: The value of `--mix`.
    ///   - known: What can be done here.
    func plan(mix text: String, known: [LoadOperation], bucket: String, _ running: RunningOptions) throws -> LoadPlan {
        guard let mix = LoadPlan.mix(text), mix.allSatisfy({ known.contains($0.operation) }) else {
            let names = known.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("--mix: \(names), mixed, or shares such as put=30,get=70")
        }
        let name = distribution ?? (mix.allSatisfy(\.operation.writesContent) ? "sequential" : "uniform")
        guard let distribution = KeyDistribution(rawValue: name) else {
            throw ValidationError("--distribution: uniform, sequential or zipf")
        }
        let bound = try (duration ?? (count == nil ? "10s" : nil))?.asDuration("--duration").components
        return LoadPlan(
            mix: mix, bucket: bucket, keys: KeyChoice(prefix: prefix, count: keys, distribution: distribution),
            sizes: try sizes(), partSize: MultipartUpload.partSizeMin, concurrency: concurrency, count: count,
            seconds: bound.map { Double($0.seconds) + Double($0.attoseconds) / 1e18 }, rate: rate,
            retries: running.retries, seed: seed ?? UInt64.random(in: 0 ... .max), listKeys: listKeys,
            checks: running.check, run: LoadPlan.newRun())
    }

    func sizes() throws -> SizeChoice {
        do { return try SizeChoice(parsing: size) } catch { throw ValidationError("--size: \(error.reason)") }
    }
}

/// How a run goes, and what is told of it: what `run`, `bus` and `replay` share.
struct RunningOptions: ParsableArguments {
    @Option(help: "How often a failed operation is tried again.")
    var retries = 0
    @Flag(inversion: .prefixedNo, help: "Compare what is read with what was written; it is named in user metadata.")
    var check = true
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

    func validate() throws {
        guard (0...100).contains(retries) else { throw ValidationError("--retries: 0 to 100") }
        guard (1...64).contains(threads) else { throw ValidationError("--threads: 1 to 64") }
        _ = try processes()
    }

    /// Runs the plan (and before it, on request, a put of every key), prints the report, and fails when it is not good.
    func run(
        _ plan: LoadPlan, over targets: any LoadTargets, preparing preparation: LoadPlan? = nil,
        signals: TerminationSignals = TerminationSignals()
    ) async throws {
        var runner = LoadRunner(
            plan: plan, targets: targets, recorders: try recorders(), processes: [:],
            showsProgress: progress ?? (isatty(2) == 1), threads: threads, signals: signals)
        if let preparation {
            var before = runner
            before.plan = preparation
            let report = try await before.run()
            guard report.isGood else {
                throw LoadFailure(.failed, "what the run needs could not be put: \(report.faults.first ?? "")")
            }
        }
        runner.processes = try processes()
        let report = try await runner.run()
        print(json ? report.json() : report.text())
        guard report.isGood else { throw ExitCode(LoadExit.failed.rawValue) }
    }

    private func recorders() throws -> [OperationRecorder] {
        (try history.map { [try OperationRecorder(path: $0, writesOnly: false)] } ?? [])
            + (try acknowledged.map { [try OperationRecorder(path: $0, writesOnly: true)] } ?? [])
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
