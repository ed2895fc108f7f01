import Foundation
import NIOCore
import NIOPosix
import ProcessRuntime

/// Runs the workers of one plan, with a progress line every second.
struct LoadRunner: Sendable {
    var plan: LoadPlan
    let targets: any LoadTargets
    let recorders: [OperationRecorder]
    var processes: [Int32: String]
    let showsProgress: Bool
    let threads: Int
    /// The first signal ends the run as its end would: what was begun is finished and counted.
    let signals: TerminationSignals

    func run() async throws -> LoadReport {
        let group = MultiThreadedEventLoopGroup(numberOfThreads: threads)
        let targets = try await targets.prepare(plan, on: group)
        let statistics = LoadStatistics()
        let usage = ProcessUsage(pids: processes.keys.sorted(), names: processes)
        let pacer = Pacer(plan)
        Task { await halt(pacer) }
        let begun = MonotonicClock.now()
        let progress = Task { await reportProgress(statistics, begun) }
        await withTaskGroup(of: Void.self) { tasks in
            for id in 0..<plan.concurrency {
                guard let eventLoop = group.next() as? any EventLoop & NIOSerialEventLoopExecutor else {
                    preconditionFailure("NIO's loops are executors")
                }
                let worker = LoadWorker(
                    id: id, plan: plan, targets: targets, pacer: pacer, statistics: statistics, recorders: recorders,
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

    private func halt(_ pacer: Pacer) async {
        await signals.wait()
        pacer.halt()
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
