import Foundation
import Synchronization

/// Deals out the turns of a run to its workers: how many, until when, and how fast.
final class Pacer: Sendable {
    private let taken = Atomic<Int>(0)
    private let halted = Atomic<Bool>(false)
    private let count: Int
    private let deadline: Int64
    private let interval: Double?
    private let schedule: [Int64]?
    private let start: Int64

    init(_ plan: LoadPlan, start: Int64 = MonotonicClock.now()) {
        self.start = start
        let script = plan.script.flatMap { $0.endsRun ? $0.operations.count : nil }
        count = min(plan.count ?? .max, script ?? .max)
        schedule = plan.script?.due
        deadline = plan.seconds.map { start + Int64(min($0, 1e9) * 1e9) } ?? .max
        interval = plan.rate.map { 1e9 / $0 }
    }

    struct Turn: Sendable {
        var number: Int
        /// When it should begin: latencies are counted from here, so that a stall counts for all that had to wait.
        var due: Int64
    }

    /// nil: the run is over.
    func next() -> Turn? {
        guard !halted.load(ordering: .relaxed) else { return nil }
        let number = taken.wrappingAdd(1, ordering: .relaxed).oldValue
        let now = MonotonicClock.now()
        guard number < count, now < deadline else { return nil }
        let due = schedule.map { start + $0[number] } ?? interval.map { start + Int64(Double(number) * $0) } ?? now
        guard due < deadline else { return nil }
        return Turn(number: number, due: due)
    }

    /// No more turns.
    func halt() { halted.store(true, ordering: .relaxed) }
}

/// Nanoseconds of a clock that all processes of this machine share and that never goes back.
enum MonotonicClock {
    static func now() -> Int64 {
        var time = timespec()
        clock_gettime(CLOCK_MONOTONIC, &time)
        return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
    }
}
