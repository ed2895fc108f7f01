import Logging
import ObjectAccess
import Synchronization

/// Runs repair tasks: the shell around ``TaskSchedule``.
final class TaskRunner: Sendable {
    typealias Work = @Sendable (TaskHandle, RepairTask) async throws -> TaskOutcome

    struct Limits: Sendable {
        var objectsPerSecond: Int
        /// 0: none.
        var bytesPerSecond: Int
    }

    private struct Run {
        var handle: TaskHandle
        var task: Task<Void, Never>?
    }

    private struct State {
        var schedule: TaskSchedule
        var works: [TaskKind: Work] = [:]
        var runs: [String: Run] = [:]
        /// Of standing tasks between two runs.
        var paces: [String: TaskPace] = [:]
        var waiting: [String: [CheckedContinuation<Void, Never>]] = [:]
        /// To be stored.
        var dirty: Set<String> = []
        var isStopping = false
    }

    private let store: TaskStore
    private let limits: Limits
    private let metrics: TaskMetrics
    private let logger: Logger
    private let state: Mutex<State>
    private let saves: AsyncStream<Void>
    private let save: AsyncStream<Void>.Continuation
    private let bell: AsyncStream<Void>
    private let ring: AsyncStream<Void>.Continuation
    private let background = Mutex<[Task<Void, Never>]>([])
    private let origin = ContinuousClock.now

    init(store: TaskStore, limits: Limits, metrics: TaskMetrics, logger: Logger) throws {
        self.store = store
        self.limits = limits
        self.metrics = metrics
        self.logger = logger
        state = Mutex(State(schedule: TaskSchedule(kept: try store.load())))
        (saves, save) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
        (bell, ring) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1))
    }

    private var now: TaskSchedule.Moment {
        .init(elapsed: origin.duration(to: .now), milliseconds: WallClock.milliseconds)
    }

    // MARK: - Life

    /// Before `start`.
    func register(_ kind: TaskKind, _ work: @escaping Work) { state.withLock { $0.works[kind] = work } }

    /// A standing task. `first`: how long after the start it runs for the first time.
    func register(
        _ kind: TaskKind, every interval: Duration, first: Duration = .zero, _ work: @escaping Work
    ) {
        register(kind, work)
        let now = self.now
        state.withLock { $0.schedule.establish(kind, every: interval, first: first, now: now) }
    }

    func start() {
        let clock = Task { [weak self, bell] in
            var rings = bell.makeAsyncIterator()
            while !Task.isCancelled, let due = self?.tick() {
                let timer = Task { [weak self] in
                    try? await Task.sleep(for: due)
                    if !Task.isCancelled { self?.ring.yield() }
                }
                guard await rings.next() != nil else { return timer.cancel() }
                timer.cancel()
            }
        }
        let saver = Task { [weak self, saves] in
            for await _ in saves { await self?.writeDirty() }
        }
        background.withLock { $0 = [clock, saver] }
    }

    /// Starts what is due. Returns how long it is until something is; nil: it is stopping.
    private func tick() -> Duration? {
        change(isTick: true) { $0.tick(now: $1) }
        let now = self.now.elapsed
        return state.withLock { state in
            state.isStopping ? nil : state.schedule.nextDue.map { max($0 - now, .milliseconds(10)) } ?? .seconds(3600)
        }
    }

    func stop() async {
        let runs = state.withLock { state in
            state.isStopping = true
            return Array(state.runs.values)
        }
        for run in runs {
            run.handle.stop()
            run.task?.cancel()
        }
        for run in runs { await run.task?.value }
        save.finish()
        ring.finish()
        for task in background.withLock({ $0 }) { await task.value }
        await writeDirty()
        try? store.close()
    }

    // MARK: - For operators and other parts

    var tasks: [(task: RepairTask, rates: TaskHandle.Rates?)] {
        state.withLock { state in
            state.schedule.all.map { task in
                guard let handle = state.runs[task.id]?.handle else { return (task, nil) }
                var task = task
                task.progress = handle.progress
                return (task, handle.rates)
            }
        }
    }

    func wake(_ kind: TaskKind) { change { $0.wake(kind, now: $1) } }

    /// Durable when it returns.
    func submit(_ kind: TaskKind, _ arguments: [String]) async throws -> String {
        let id = try attempt { schedule, now throws(TaskSchedule.Refusal) in
            try schedule.submit(kind, arguments, now: now)
        }
        try await store.save(id) { self.stored(id) }
        return id
    }

    /// Waits until the task is over; nil: it is forgotten.
    func wait(for id: String) async -> RepairTask? {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                guard let task = state.schedule[id], !task.isOver, !state.isStopping else { return true }
                state.waiting[id, default: []].append(continuation)
                return false
            }
            if isOver { continuation.resume() }
        }
        return state.withLock { $0.schedule[id] }
    }

    func pause(_ id: String, _ isPaused: Bool) throws(TaskSchedule.Refusal) {
        try attempt { schedule, now throws(TaskSchedule.Refusal) in
            ((), try schedule.pause(id, isPaused, now: now))
        }
    }

    func cancel(_ id: String) throws(TaskSchedule.Refusal) {
        try attempt { schedule, now throws(TaskSchedule.Refusal) in ((), try schedule.cancel(id, now: now)) }
    }

    func throttle(_ id: String, _ throttle: TaskThrottle) throws(TaskSchedule.Refusal) {
        try attempt { schedule, _ throws(TaskSchedule.Refusal) in ((), try schedule.throttle(id, throttle)) }
    }

    // MARK: - Directives

    private func change(
        isTick: Bool = false, _ event: (inout TaskSchedule, TaskSchedule.Moment) -> [TaskSchedule.Directive]
    ) {
        let now = self.now
        let directives = state.withLock { $0.isStopping ? [] : event(&$0.schedule, now) }
        for directive in directives { act(directive) }
        // Another task may be due now: the clock must look again.
        if !isTick { ring.yield() }
    }

    private func attempt<Value: Sendable>(
        _ event: (inout TaskSchedule, TaskSchedule.Moment) throws(TaskSchedule.Refusal) -> (
            Value, [TaskSchedule.Directive]
        )
    ) throws(TaskSchedule.Refusal) -> Value {
        let now = self.now
        let result = state.withLock { state -> Result<(Value, [TaskSchedule.Directive]), TaskSchedule.Refusal> in
            do throws(TaskSchedule.Refusal) { return .success(try event(&state.schedule, now)) } catch {
                return .failure(error)
            }
        }
        let (value, directives) = try result.get()
        for directive in directives { act(directive) }
        ring.yield()
        return value
    }

    private func act(_ directive: TaskSchedule.Directive) {
        switch directive {
        case .start(let task): begin(task)
        case .stop(let id):
            let run = state.withLock { $0.runs[id] }
            run?.handle.stop()
            run?.task?.cancel()
        case .adjust(let task):
            guard let handle = state.withLock({ $0.runs[task.id]?.handle }) else { return }
            let limits = limits(of: task)
            handle.limit(objectsPerSecond: limits.objectsPerSecond, bytesPerSecond: limits.bytesPerSecond)
            handle.pause(task.isPaused)
        case .store(let task):
            makeDirty(task.id)
            if task.isOver { wakeWaiters(task.id) }
        case .forget(let id):
            makeDirty(id)
            wakeWaiters(id)
        }
    }

    private func limits(of task: RepairTask) -> Limits {
        let wanted = task.throttle
        return Limits(
            objectsPerSecond: wanted.objectsPerSecond > 0 ? wanted.objectsPerSecond : limits.objectsPerSecond,
            bytesPerSecond: wanted.bytesPerSecond > 0 ? wanted.bytesPerSecond : limits.bytesPerSecond)
    }

    private func begin(_ task: RepairTask) {
        let limits = limits(of: task)
        let handle = TaskHandle(
            objectsPerSecond: limits.objectsPerSecond, bytesPerSecond: limits.bytesPerSecond,
            part: task.kind == .move ? TaskPace.firstPart : 1, pace: state.withLock { $0.paces[task.id] },
            metrics: metrics)
        let work = state.withLock { state in
            state.runs[task.id] = Run(handle: handle)
            metrics.running.set(state.runs.count)
            return state.works[task.kind]
        }
        let running = Task {
            let outcome: TaskOutcome
            do {
                outcome = try await work?(handle, task) ?? .failed("this version knows no such work")
            } catch is CancellationError {
                outcome = .failed("ended before it was done")
            } catch { outcome = .failed("\(error)") }
            self.ended(task, outcome, handle)
        }
        let isStopping = state.withLock { state in
            state.runs[task.id]?.task = running
            return state.isStopping
        }
        if isStopping { running.cancel() }
    }

    private func ended(_ task: RepairTask, _ outcome: TaskOutcome, _ handle: TaskHandle) {
        state.withLock { state in
            state.runs[task.id] = nil
            if task.kind.isStanding { state.paces[task.id] = handle.pace }
            metrics.running.set(state.runs.count)
        }
        // What a stop of the process has ended is not over: the next process begins it again.
        guard !state.withLock({ $0.isStopping }) else { return wakeWaiters(task.id) }
        metrics.ended(task.kind, outcome)
        if !task.kind.isStanding || !outcome.isSuccess {
            logger.log(
                level: outcome.isSuccess ? .notice : .warning, "a repair task ended",
                metadata: [
                    "id": "\(task.id)", "kind": "\(task.kind.rawValue)", "arguments": "\(task.arguments)",
                    "proved": "\(outcome.isProved)", "result": "\(outcome.text)",
                ])
        }
        change {
            $0.ended(
                task.id, outcome, progress: handle.progress, spread: .random(in: 0.9...1.1), now: $1)
        }
    }

    private func wakeWaiters(_ id: String) {
        for waiter in state.withLock({ $0.waiting.removeValue(forKey: id) ?? [] }) { waiter.resume() }
    }

    // MARK: - Store

    private func stored(_ id: String) -> RepairTask? { state.withLock { $0.schedule[id] } }

    private func makeDirty(_ id: String) {
        state.withLock { _ = $0.dirty.insert(id) }
        save.yield()
    }

    private func writeDirty() async {
        let dirty = state.withLock { state in
            defer { state.dirty = [] }
            return state.dirty
        }
        for id in dirty {
            do {
                try await store.save(id) { self.stored(id) }
            } catch {
                logger.warning("a repair task cannot be stored", metadata: ["id": "\(id)", "error": "\(error)"])
            }
        }
    }
}
