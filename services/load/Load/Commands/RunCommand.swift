import ArgumentParser
import Configuration

struct RunCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "run", abstract: "Makes requests of S3, and reports rates and latencies.",
        discussion: """
            SIGINT and SIGTERM end the run early: what has begun is finished, and the report is printed.

            EXAMPLES:
              martlet-load run --mix put --count 10000 --size 4KiB --concurrency 16
              martlet-load run --mix get --prepare --keys 2000 --distribution zipf --duration 30s
              martlet-load run --mix put=30,multipart=1,get=69 --size 4KiB=90,5MiB..64MiB=10 --part-size 5MiB
              martlet-load run --mix put --count 20000 --sign-ahead 20000 --signature v2
              martlet-load run --rate 500 --duration 1m --endpoint http://a:8080 --endpoint http://b:8080 --json
              martlet-load run --duration 30s --size 1KiB..2MiB --history history.jsonl
            """)

    static let aheadMax = 1_000_000

    @Option(help: "What to do: put, multipart, get, head, delete, list, mixed, or shares: put=30,get=60,delete=10.")
    var mix = "mixed"
    @OptionGroup(title: "Connection") var connection: ConnectionOptions
    @OptionGroup(title: "Workload") var workload: WorkloadOptions
    @OptionGroup(title: "Run") var running: RunningOptions
    @Option(help: "Size of the parts of multipart.")
    var partSize = "8MiB"
    @Option(
        help: """
            Choose and sign so many requests before the run begins, so that the client costs less while it measures; \
            what comes after them is signed as it is sent. Not for multipart.
            """)
    var signAhead = 0

    func validate() throws {
        guard (1...10_000).contains(workload.concurrency) else { throw ValidationError("--concurrency: 1 to 10000") }
        guard (0...Self.aheadMax).contains(signAhead) else {
            throw ValidationError("--sign-ahead: 0 to \(Self.aheadMax)")
        }
        _ = try plan()
    }

    func run() async throws {
        let plan = try plan()
        try await running.run(
            signAhead > 0 ? plan.choosing(signAhead) : plan, over: S3Targets(settings: try connection.settings()),
            preparing: workload.prepare ? plan.preparing() : nil)
    }

    private func plan() throws -> LoadPlan {
        var plan = try workload.plan(mix: mix, known: S3Targets.operations, bucket: connection.bucket, running)
        plan.partSize = try partBytes()
        return plan
    }

    private func partBytes() throws -> Int {
        let bytes: Int
        do { bytes = try ByteSize(parsing: .text(partSize)).bytes } catch {
            throw ValidationError("--part-size: \(error.reason)")
        }
        guard bytes >= MultipartUpload.partSizeMin else { throw ValidationError("--part-size: at least 5MiB") }
        return bytes
    }
}
