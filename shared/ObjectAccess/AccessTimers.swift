import Threads

/// Calls back later. Injected, so that tests decide when time passes.
public protocol TimerScheduling: Sendable {
    /// `body` must not block.
    func after(_ delay: Duration, _ body: @escaping @Sendable () -> Void)
}

/// Timers that are cheap to set and fire up to one tick late: most of them fire into operations that are long over.
///
/// A thread of its own ticks while there is any timer: setting one costs a lock and an append, a tick one wake-up. (A task that
/// sleeps wakes three threads each time, the queue of its timer and those of its executor.)
public final class CoarseTimers: TimerScheduling {
    public static let shared = CoarseTimers()

    fileprivate typealias Body = @Sendable () -> Void
    fileprivate struct State {
        var slots: [Int: [Body]] = [:]
        /// No slot before this one is filled.
        var first = 0
        /// The thread sleeps until somebody wakes it: there was no timer.
        var isIdle = false
    }

    private static let tickMilliseconds = 5
    private let origin = ContinuousClock.now
    private let state = Monitor(State())

    private init() { _ = BlockingThread(name: "timers") { [self] in run() } }

    public func after(_ delay: Duration, _ body: @escaping @Sendable () -> Void) {
        let due = tick(at: ContinuousClock.now + delay) + 1
        let wakes = state.withLock { state in
            state.first = state.slots.isEmpty ? due : min(state.first, due)
            state.slots[due, default: []].append(body)
            defer { state.isIdle = false }
            return state.isIdle
        }
        if wakes { state.wakeOne() }
    }

    private func tick(at instant: ContinuousClock.Instant) -> Int {
        let elapsed = origin.duration(to: instant).components
        return (Int(elapsed.seconds) * 1000 + Int(elapsed.attoseconds / 1_000_000_000_000_000)) / Self.tickMilliseconds
    }

    private func run() {
        while true {
            for body in next() { body() }
        }
    }

    /// Waits for the next tick, or without a timer until there is one; returns what is due.
    private func next() -> [Body] {
        state.waiting { state, waiter in
            state.pointee.isIdle = state.pointee.slots.isEmpty
            while state.pointee.isIdle { waiter.wait() }
            _ = waiter.wait(milliseconds: Self.tickMilliseconds)
            return state.pointee.takeDue(tick(at: .now))
        }
    }
}

extension CoarseTimers.State {
    fileprivate mutating func takeDue(_ now: Int) -> [CoarseTimers.Body] {
        guard first <= now else { return [] }
        var due: [CoarseTimers.Body] = []
        for slot in first...now { due += slots.removeValue(forKey: slot) ?? [] }
        first = now + 1
        return due
    }
}
