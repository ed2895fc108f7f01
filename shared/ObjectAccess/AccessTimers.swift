import Synchronization

/// Calls back later. Injected, so that tests decide when time passes.
public protocol TimerScheduling: Sendable {
    /// `body` must not block.
    func after(_ delay: Duration, _ body: @escaping @Sendable () -> Void)
}

/// Timers that are cheap to set and fire up to one tick late: most of them fire into operations that are long over.
///
/// One task ticks while there is any timer; setting one costs a lock and an append.
public final class CoarseTimers: TimerScheduling {
    public static let shared = CoarseTimers()

    private typealias Body = @Sendable () -> Void
    private struct State {
        var slots: [Int: [Body]] = [:]
        var isTicking = false
    }

    private static let tickMilliseconds = 20
    private let origin = ContinuousClock.now
    private let state = Mutex(State())

    public init() {}

    public func after(_ delay: Duration, _ body: @escaping @Sendable () -> Void) {
        let due = tick(at: ContinuousClock.now + delay) + 1
        let mustStart = state.withLock { state in
            state.slots[due, default: []].append(body)
            defer { state.isTicking = true }
            return !state.isTicking
        }
        if mustStart { Task { await run() } }
    }

    private func tick(at instant: ContinuousClock.Instant) -> Int {
        let elapsed = origin.duration(to: instant).components
        return (Int(elapsed.seconds) * 1000 + Int(elapsed.attoseconds / 1_000_000_000_000_000)) / Self.tickMilliseconds
    }

    private func run() async {
        var last = tick(at: .now) - 1
        while true {
            let now = tick(at: .now)
            var due: [Body] = []
            let goesOn = state.withLock { state in
                // Slots before `last` cannot be filled any more: a timer is set at least one tick ahead.
                for slot in min(last, now)...now { due += state.slots.removeValue(forKey: slot) ?? [] }
                state.isTicking = !state.slots.isEmpty
                return state.isTicking
            }
            for body in due { body() }
            guard goesOn else { return }
            last = now
            try? await Task.sleep(for: .milliseconds(Self.tickMilliseconds))
        }
    }
}
