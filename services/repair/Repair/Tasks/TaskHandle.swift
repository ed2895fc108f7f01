import ObjectAccess
import Synchronization

/// What a running task is given: it reports progress here, and asks before it goes on.
final class TaskHandle: HealingObserver {
    private struct State {
        var progress = TaskProgress()
        var throughput: TaskThroughput
        var pace: TaskPace
        var isPaused = false
        var isStopped = false
        var waiting: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>
    private let metrics: TaskMetrics?
    private static let origin = ContinuousClock.now

    /// - Parameters:
    ///   - part: of the limits, to begin with.
    ///   - pace: of the last run of the same task, so that it need not learn again what the nodes can bear.
    init(
        objectsPerSecond: Int = 1_000_000, bytesPerSecond: Int = 0, part: Double = 1, pace: TaskPace? = nil,
        metrics: TaskMetrics? = nil
    ) {
        self.metrics = metrics
        let now = Self.origin.duration(to: .now)
        var pace = pace ?? TaskPace(objectsPerSecond: objectsPerSecond, part: part, now: now)
        pace.limit(objectsPerSecond: objectsPerSecond, bytesPerSecond: bytesPerSecond, now: now)
        state = Mutex(State(throughput: TaskThroughput(now: now), pace: pace))
    }

    private var now: Duration { Self.origin.duration(to: .now) }

    /// As it stands.
    var pace: TaskPace { state.withLock { $0.pace } }

    // MARK: - For the work

    func update(_ body: (inout TaskProgress) -> Void) {
        let now = self.now
        state.withLock { state in
            body(&state.progress)
            state.throughput.note(state.progress, now: now)
        }
    }

    /// Waits while the task is paused, then until so many objects may be dealt with.
    func admit(objects: Int) async throws(CancellationError) {
        try await passPause()
        let now = self.now
        let wait = state.withLock { $0.pace.take(objects: objects, now: now) }
        if wait > .zero { try? await Task.sleep(for: wait) }
        try await passPause()
    }

    private func passPause() async throws(CancellationError) {
        while !Task.isCancelled {
            await withCheckedContinuation { continuation in
                let goesOn = state.withLock { state in
                    guard state.isPaused, !state.isStopped else { return true }
                    state.waiting.append(continuation)
                    return false
                }
                if goesOn { continuation.resume() }
            }
            if state.withLock({ !$0.isPaused || $0.isStopped }) { break }
        }
        if Task.isCancelled || state.withLock({ $0.isStopped }) { throw CancellationError() }
    }

    // MARK: - From below

    func healed(bytes: Int) {
        let now = self.now
        state.withLock { state in
            state.progress.bytes += UInt64(bytes)
            state.pace.copied(bytes: bytes, now: now)
        }
        metrics?.bytes.increment(by: bytes)
    }

    func probed(_ delay: Duration, isRefused: Bool) {
        let now = self.now
        state.withLock { $0.pace.observe(delay: delay, isRefused: isRefused, now: now) }
    }

    // MARK: - For the runner

    var progress: TaskProgress { state.withLock { $0.progress } }

    struct Rates: Sendable {
        var objects: Double
        var bytes: Double
        var secondsLeft: Double?
        /// Part of its limits that it takes, for the sake of clients.
        var part: Double
    }

    var rates: Rates {
        let now = self.now
        return state.withLock { state in
            let rates = state.throughput.rates(state.progress, now: now)
            return Rates(
                objects: rates.objects, bytes: rates.bytes,
                secondsLeft: state.throughput.secondsLeft(state.progress, now: now), part: state.pace.part)
        }
    }

    func limit(objectsPerSecond: Int, bytesPerSecond: Int) {
        let now = self.now
        state.withLock { $0.pace.limit(objectsPerSecond: objectsPerSecond, bytesPerSecond: bytesPerSecond, now: now) }
    }

    func pause(_ isPaused: Bool) { wake { $0.isPaused = isPaused } }
    /// Every later `admit` throws, and so do those that wait.
    func stop() { wake { $0.isStopped = true } }

    private func wake(_ body: (inout State) -> Void) {
        let waiting = state.withLock { state in
            body(&state)
            defer { state.waiting = [] }
            return state.waiting
        }
        for continuation in waiting { continuation.resume() }
    }
}
