import Foundation
import Linearizability
import NIOCore
import NIOHTTP1
import NIOPosix
import Synchronization

/// What a run is to do.
struct LoadPlan: Sendable {
    var target: LoadTarget
    var mix: OperationMix
    var sizes: SizeRange
    var choice: KeyChoice
    var keys: Int
    var prefix: String
    var concurrency: Int
    /// nil: until `duration`.
    var count: Int?
    var duration: Duration?
    /// Requests a second over all workers; nil: as fast as it goes.
    var rate: Double?
    var retries: Int
    var timeout: TimeAmount
    var seed: UInt64
    /// Every worker has keys of its own: needed to say what each key must hold afterwards.
    var ownKeys: Bool
}

/// Runs the workers of a plan and collects what they saw.
final class LoadRun: Sendable {
    let plan: LoadPlan
    let history: HistoryRecorder?
    let acknowledged: AcknowledgedFile?
    private let left: Mutex<Int>
    private let done = Atomic<Int>(0)
    private let failed = Atomic<Int>(0)
    let begun = ContinuousClock.now

    init(plan: LoadPlan, history: HistoryRecorder?, acknowledged: AcknowledgedFile?) {
        self.plan = plan
        self.history = history
        self.acknowledged = acknowledged
        left = Mutex(plan.count ?? .max)
    }

    /// Requests so far, and those that failed.
    var progress: (requests: Int, failed: Int) { (done.load(ordering: .relaxed), failed.load(ordering: .relaxed)) }

    func run(on group: any EventLoopGroup) async -> LoadTally {
        await withTaskGroup(of: LoadTally.self) { tasks in
            for worker in 0..<plan.concurrency {
                tasks.addTask {
                    var worker = LoadWorker(number: worker, run: self, group: group)
                    return await worker.work()
                }
            }
            return await tasks.reduce(into: LoadTally()) { $0.merge($1) }
        }
    }

    /// Takes one request from the count. false: there is none left, or the time is over.
    func takeRequest() -> Bool {
        if Task.isCancelled { return false }
        if let duration = plan.duration, ContinuousClock.now - begun > duration { return false }
        return left.withLock { left in
            guard left > 0 else { return false }
            left -= 1
            return true
        }
    }

    func noteDone(failed hasFailed: Bool) {
        done.add(1, ordering: .relaxed)
        if hasFailed { failed.add(1, ordering: .relaxed) }
    }

    /// Nanoseconds since the run began, the clock of its history.
    var now: Int64 { Int64((ContinuousClock.now - begun) / .nanoseconds(1)) }
}
