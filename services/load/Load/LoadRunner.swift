import Foundation
import NIOCore
import NIOPosix

/// Runs the workers of one plan, with a progress line every second.
struct LoadRunner: Sendable {
    var plan: LoadPlan
    let settings: S3ClientSettings
    let recorders: [OperationRecorder]
    var processes: [Int32: String]
    let showsProgress: Bool
    let threads: Int

    /// A run that puts every key once. Part of the history, if there is one.
    func preparing() -> LoadRunner {
        var runner = self
        runner.plan.mix = [(.put, 1)]
        runner.plan.keys = KeyChoice(prefix: plan.keys.prefix, count: plan.keys.count, distribution: .sequential)
        runner.plan.count = plan.keys.count
        runner.plan.seconds = nil
        runner.plan.rate = nil
        runner.plan.run += "p"
        return runner
    }

    @discardableResult
    func run() async throws -> LoadReport {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        try await createBucket(on: group)
        let statistics = LoadStatistics()
        let usage = ProcessUsage(pids: processes.keys.sorted(), names: processes)
        let pacer = Pacer(plan)
        let begun = MonotonicClock.now()
        let progress = Task { await reportProgress(statistics, begun) }
        await withTaskGroup(of: Void.self) { tasks in
            for id in 0..<plan.concurrency {
                guard let eventLoop = group.next() as? any EventLoop & NIOSerialEventLoopExecutor else {
                    preconditionFailure("NIO's loops are executors")
                }
                let worker = LoadWorker(
                    id: id, plan: plan, settings: settings, pacer: pacer, statistics: statistics, recorders: recorders,
                    on: eventLoop)
                tasks.addTask { await worker.run() }
            }
        }
        let seconds = Double(MonotonicClock.now() - begun) / 1e9
        progress.cancel()
        await progress.value
        for recorder in recorders { try recorder.flush() }
        try? await group.shutdownGracefully()
        return LoadReport(statistics, plan: plan, seconds: seconds, processes: usage.measure())
    }

    private func createBucket(on group: MultiThreadedEventLoopGroup) async throws {
        let eventLoop = group.next()
        let answer = try await eventLoop.flatSubmit {
            S3Client(settings, on: eventLoop, first: 0).send(.PUT, path: "/\(plan.bucket)", wanted: .text)
        }.get()
        guard (200..<300).contains(answer.status) || answer.status == 409 else {
            throw LoadFailure(description: "cannot make the bucket \(plan.bucket): \(answer.status) \(answer.text)")
        }
    }

    private func reportProgress(_ statistics: LoadStatistics, _ begun: Int64) async {
        var before = OperationStatistics()
        while (try? await Task.sleep(for: .seconds(1))) != nil {
            for recorder in recorders { try? recorder.flush() }
            guard showsProgress else { continue }
            let now = statistics.total
            let seconds = (MonotonicClock.now() - begun) / 1_000_000_000
            let rate = now.latencies.count - before.latencies.count
            let line =
                "\(seconds) s: \(rate) operations/s, \((now.bytes - before.bytes) / 1_000_000) MB/s, "
                + "p50 \(LoadReport.number(now.latencies.quantile(0.5) * 1000)) ms, "
                + "p99 \(LoadReport.number(now.latencies.quantile(0.99) * 1000)) ms, "
                + "\(now.retries) retried, \(now.errors + now.wrong) failed"
            FileHandle.standardError.write(Data("\r\u{1b}[K\(line)".utf8))
            before = now
        }
        if showsProgress { FileHandle.standardError.write(Data("\r\u{1b}[K".utf8)) }
    }
}

/// Ends the tool with a sentence.
struct LoadFailure: Error, CustomStringConvertible {
    let description: String
}
