import ArgumentParser
import Foundation
import NIOCore
import NIOPosix

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Makes requests (this is the default).",
        discussion: "example: martlet-load run --mix mixed --keys 1000 --size 1KiB..64KiB --count 10000 --json")

    @OptionGroup var targetOptions: TargetOptions
    @Option(help: "What to do: put, get, head, delete, list, mixed, or shares as get=70,put=30.")
    var mix = "put"
    @Option(help: "Size of objects: 4096, 64KiB, or a range 1KiB..1MiB.")
    var size = "4KiB"
    @Option(help: "Number of keys.")
    var keys = 1000
    @Option(help: "How keys are picked: uniform, zipf or sequential.")
    var choice = "uniform"
    @Option(help: "Prefix of all keys.")
    var prefix = "load/"
    @Option(help: "Requests at the same time.")
    var concurrency = 16
    @Option(help: "Requests in all.")
    var count: Int?
    @Option(help: "Seconds; 10 when there is no --count.")
    var duration: Double?
    @Option(help: "Requests a second; as fast as it goes without.")
    var rate: Double?
    @Option(help: "How often a request is sent again after a 5xx or a lost connection.")
    var retries = 0
    @Option(help: "Seconds to wait for an answer.")
    var timeout = 30.0
    @Option(help: "Seed of all choices.")
    var seed: UInt64 = 1
    @Flag(help: "Put every key once before the run; needs --size.")
    var prepare = false
    @Option(help: "Process ids (comma-separated) whose CPU time and memory are reported.")
    var pids: String?
    @Option(help: "Write what each client saw to this file, for martlet-load verify.")
    var history: String?
    @Option(
        help: "Write what was acknowledged to this file, for martlet-load check. Each client has keys of its own then.")
    var acknowledged: String?
    @Flag(help: "Print the result as one JSON object.")
    var json = false

    func run() async throws {
        let plan = try plan()
        let watched = (pids ?? "").split(separator: ",").compactMap { Int32($0) }
        let group = MultiThreadedEventLoopGroup.singleton
        try await makeBucket(plan.target, group)
        if prepare { try await prepareKeys(plan, group) }
        let run = LoadRun(
            plan: plan, history: try history.map(HistoryRecorder.init(path:)),
            acknowledged: try acknowledged.map(AcknowledgedFile.init(path:)))
        let before = watched.isEmpty ? nil : ProcessUsage.of(watched)
        let progress = json ? nil : showProgress(of: run)
        let tally = await run.run(on: group)
        let seconds = Double((ContinuousClock.now - run.begun) / .milliseconds(1)) / 1000
        progress?.cancel()
        let report = LoadReport(
            tally, seconds: seconds, before: before, after: watched.isEmpty ? nil : ProcessUsage.of(watched))
        print(json ? report.json : report.text)
        if report.errors > 0 || report.wrong_bytes > 0 { throw ExitCode(1) }
    }

    private func plan() throws -> LoadPlan {
        guard let mix = OperationMix(mix) else { throw ValidationError("--mix \(mix): see --help") }
        guard let sizes = SizeRange(size) else { throw ValidationError("--size \(size): at most 1 GiB, see --help") }
        guard let choice = KeyChoice(rawValue: choice) else {
            throw ValidationError("--choice is uniform, zipf or sequential")
        }
        guard (1...10_000).contains(concurrency), (1...100_000_000).contains(keys), (0...20).contains(retries),
            timeout > 0, timeout < 86_400, rate ?? 1 > 0, count ?? 1 > 0, duration ?? 1 > 0, duration ?? 1 < 1e8
        else { throw ValidationError("a number is out of its range") }
        if history != nil, retries > 0 { throw ValidationError("--history needs --retries 0: a repeated put is two") }
        let seconds = duration ?? (count == nil ? 10 : nil)
        return LoadPlan(
            target: try targetOptions.target(), mix: mix, sizes: sizes, choice: choice, keys: keys, prefix: prefix,
            concurrency: concurrency, count: count, duration: seconds.map { .seconds($0) }, rate: rate,
            retries: retries, timeout: .milliseconds(Int64(timeout * 1000)), seed: seed,
            ownKeys: acknowledged != nil)
    }

    private func makeBucket(_ target: LoadTarget, _ group: any EventLoopGroup) async throws {
        let client = S3LoadClient(target: target, group: group, timeout: .seconds(30))
        defer { client.close() }
        if try await client.send(.HEAD).status == .ok { return }
        let answer = try await client.send(.PUT)
        guard answer.status == .ok || answer.status == .conflict else {
            throw LoadError.usage("cannot make the bucket \(target.bucket): \(String(buffer: answer.body))")
        }
    }

    private func prepareKeys(_ plan: LoadPlan, _ group: any EventLoopGroup) async throws {
        var preparing = plan
        preparing.mix = OperationMix("put")!
        preparing.choice = .sequential
        preparing.count = plan.ownKeys ? plan.keys * plan.concurrency : plan.keys
        preparing.duration = nil
        preparing.rate = nil
        let tally = await LoadRun(plan: preparing, history: nil, acknowledged: nil).run(on: group)
        if let error = tally.firstErrors.first { throw LoadError.usage("preparing failed: \(error)") }
    }

    /// A line that renews itself, on a terminal only.
    private func showProgress(of run: LoadRun) -> Task<Void, Never>? {
        guard isatty(STDERR_FILENO) == 1 else { return nil }
        return Task {
            var last = 0
            while (try? await Task.sleep(for: .seconds(1))) != nil {
                let (requests, failed) = run.progress
                let elapsed = Int((ContinuousClock.now - run.begun) / .seconds(1))
                FileHandle.standardError.write(
                    Data("\r\(elapsed) s: \(requests) requests, \(requests - last)/s, \(failed) failed   ".utf8))
                last = requests
            }
            FileHandle.standardError.write(Data("\n".utf8))
        }
    }
}
