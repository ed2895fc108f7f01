/// Which repair tasks there are and which of them runs. A pure value: each event is answered by what is to be done.
/// Time and randomness are given.
struct TaskSchedule: Sendable {
    /// Since any fixed moment, and by the wall clock for what people read.
    struct Moment: Sendable {
        var elapsed: Duration
        var milliseconds: Int64
    }

    enum Directive: Sendable, Equatable {
        /// Run it, then call `ended`.
        case start(RepairTask)
        /// Make its run end soon; `ended` comes all the same.
        case stop(String)
        /// Limits or the wish for a pause of a running task have changed.
        case adjust(RepairTask)
        /// Keep this durably, then go on.
        case store(RepairTask)
        /// It need not be kept any longer.
        case forget(String)
    }

    enum Refusal: Error, Equatable { case unknown, over, standing, full }

    /// Tasks that an operator asked for and that are not over.
    static let openMax = 64
    /// Tasks that are over and are still shown.
    static let finishedMax = 100

    private struct Standing: Sendable {
        var interval: Duration
        var due: Duration
        /// Woken while it ran.
        var isWoken = false
    }

    private var tasks: [String: RepairTask] = [:]
    /// Of the tasks that are not standing, in the order of their submission.
    private var order: [String] = []
    private var standing: [TaskKind: Standing] = [:]
    private var cancelling: Set<String> = []
    private var lastNumber: UInt64 = 0

    /// - Parameter kept: what a former process had stored. What ran begins again.
    init(kept: [RepairTask] = []) {
        let numbered = kept.filter { !$0.kind.isStanding }.sorted { (UInt64($0.id) ?? 0) < (UInt64($1.id) ?? 0) }
        for var task in numbered + kept.filter(\.kind.isStanding) {
            if task.phase == .running { task.phase = .waiting }
            tasks[task.id] = task
            if !task.kind.isStanding { order.append(task.id) }
        }
        lastNumber = order.compactMap { UInt64($0) }.max() ?? 0
    }

    // MARK: - What is seen

    /// Standing ones first, then the others, the newest last.
    var all: [RepairTask] {
        TaskKind.allCases.compactMap { $0.isStanding ? tasks[$0.rawValue] : nil } + order.compactMap { tasks[$0] }
    }

    subscript(_ id: String) -> RepairTask? { tasks[id] }

    /// When the next standing task is due; nil: none is.
    var nextDue: Duration? {
        standing.compactMap { kind, entry in
            let task = tasks[kind.rawValue]
            return task?.phase == .waiting && task?.isPaused == false && isFree(kind.lane) ? entry.due : nil
        }.min()
    }

    // MARK: - Events

    /// A standing task comes into being; what was stored of it stays in force. Starts nothing: others are to come.
    mutating func establish(_ kind: TaskKind, every interval: Duration, first: Duration, now: Moment) {
        standing[kind] = Standing(interval: interval, due: now.elapsed + first)
        if tasks[kind.rawValue] == nil {
            tasks[kind.rawValue] = RepairTask(
                id: kind.rawValue, kind: kind, arguments: [], submitted: now.milliseconds)
        }
    }

    /// The same work that already waits or runs is not done twice.
    mutating func submit(
        _ kind: TaskKind, _ arguments: [String], now: Moment
    ) throws(Refusal) -> (id: String, [Directive]) {
        let open = order.compactMap { tasks[$0] }.filter { !$0.isOver }
        let same = open.first { $0.kind == kind && $0.arguments == arguments && !cancelling.contains($0.id) }
        if let same { return (same.id, []) }
        guard open.count < Self.openMax else { throw .full }
        lastNumber += 1
        let task = RepairTask(id: "\(lastNumber)", kind: kind, arguments: arguments, submitted: now.milliseconds)
        tasks[task.id] = task
        order.append(task.id)
        return (task.id, [.store(task)] + startWhatCan(now))
    }

    /// There is something to do for a standing task now.
    mutating func wake(_ kind: TaskKind, now: Moment) -> [Directive] {
        standing[kind]?.due = now.elapsed
        if tasks[kind.rawValue]?.phase == .running { standing[kind]?.isWoken = true }
        return startWhatCan(now)
    }

    mutating func tick(now: Moment) -> [Directive] { startWhatCan(now) }

    /// A run is over.
    /// - Parameter spread: a factor around 1, so that several repair processes do not run all at once.
    mutating func ended(
        _ id: String, _ outcome: TaskOutcome, progress: TaskProgress, spread: Double = 1, now: Moment
    ) -> [Directive] {
        guard var task = tasks[id], task.phase == .running else { return [] }
        let isCancelled = cancelling.remove(id) != nil
        task.progress = progress
        task.outcome = outcome
        task.finished = now.milliseconds
        if task.kind.isStanding {
            task.phase = .waiting
            defer { standing[task.kind]?.isWoken = false }
            if let entry = standing[task.kind] {
                let pause = max(min(outcome.again ?? entry.interval, entry.interval), .seconds(1)) * spread
                standing[task.kind]?.due = now.elapsed + (entry.isWoken ? .zero : pause)
            }
        } else {
            task.phase = isCancelled && !outcome.isProved ? .cancelled : outcome.isSuccess ? .done : .failed
        }
        tasks[id] = task
        return [.store(task)] + forgetOldest() + startWhatCan(now)
    }

    // MARK: - Operators

    mutating func pause(_ id: String, _ isPaused: Bool, now: Moment) throws(Refusal) -> [Directive] {
        try change(id) { $0.isPaused = isPaused } + startWhatCan(now)
    }

    mutating func throttle(_ id: String, _ throttle: TaskThrottle) throws(Refusal) -> [Directive] {
        try change(id) { $0.throttle = throttle }
    }

    mutating func cancel(_ id: String, now: Moment) throws(Refusal) -> [Directive] {
        guard var task = tasks[id] else { throw .unknown }
        guard !task.kind.isStanding else { throw .standing }
        guard !task.isOver else { throw .over }
        if task.phase == .running {
            cancelling.insert(id)
            return [.stop(id)]
        }
        task.phase = .cancelled
        task.finished = now.milliseconds
        tasks[id] = task
        return [.store(task)] + forgetOldest()
    }

    private mutating func change(
        _ id: String, _ body: (inout RepairTask) -> Void
    ) throws(Refusal) -> [Directive] {
        guard var task = tasks[id] else { throw .unknown }
        guard !task.isOver else { throw .over }
        body(&task)
        guard task != tasks[id] else { return [] }
        tasks[id] = task
        return [.store(task)] + (task.phase == .running ? [.adjust(task)] : [])
    }

    // MARK: - Decisions

    /// A task that is paused in the middle keeps its lane: what it does would be done by the next one.
    private func isFree(_ lane: TaskKind.Lane) -> Bool {
        !tasks.values.contains { $0.phase == .running && $0.kind.lane == lane }
    }

    private mutating func startWhatCan(_ now: Moment) -> [Directive] {
        var directives: [Directive] = []
        // What an operator asked for goes before what comes again by itself.
        let due = standing.filter { $0.value.due <= now.elapsed }.keys.map(\.rawValue).sorted()
        for id in order + due {
            guard var task = tasks[id], task.phase == .waiting, !task.isPaused, isFree(task.kind.lane) else { continue }
            task.phase = .running
            task.started = now.milliseconds
            task.finished = 0
            task.progress = TaskProgress()
            tasks[id] = task
            // Nothing is lost when this is not stored: a task that did not end begins again.
            directives.append(.start(task))
        }
        return directives
    }

    private mutating func forgetOldest() -> [Directive] {
        let over = order.filter { tasks[$0]?.isOver == true }
        let oldest = over.dropLast(Self.finishedMax)
        order.removeAll { oldest.contains($0) }
        for id in oldest { tasks[id] = nil }
        return oldest.map { .forget($0) }
    }
}
