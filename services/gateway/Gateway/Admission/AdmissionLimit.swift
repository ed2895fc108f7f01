/// How many requests a gateway works on at a time, found from how long they take. Pure: time is passed in.
///
/// Every kind of request has a usual duration, learnt while few are under way. When half of those that end take longer than
/// twice that and `delay`, more are under way than the cluster can use: the limit becomes what ends within that time at the
/// present rate (Little's law), so that the cluster stays busy and nobody waits for longer. While all is well it grows again.
struct AdmissionLimit: Sendable {
    struct Options: Sendable, Equatable {
        /// The limit lies between these. At `requestsMin` and fewer the durations are what is usual.
        var requestsMin = 16
        var requestsMax = 2048
        /// How much longer than usual half of the requests may take.
        var delay = Duration.milliseconds(100)
    }

    /// A verdict is reached after so long, if so many have ended.
    static let window = Duration.milliseconds(100)
    static let samplesMin = 16
    /// What is older says nothing.
    static let windowMax = Duration.seconds(1)
    /// By how much the limit grows after a window in which all was well.
    private static let growth = 1.1
    /// Over how long the rate is averaged: a short stall of a disk must not look like a slow cluster.
    private static let rateMemory = 1.0

    private let options: Options
    private(set) var limit: Int
    private(set) var inService = 0
    private var usual = UsualDurations()
    private var current: Window
    /// Requests a second that end.
    private var rate: Double?

    private struct Window: Sendable {
        var start: ContinuousClock.Instant
        var ended = 0
        var late = 0
        /// Sum of what they were allowed to take, in seconds.
        var allowance = 0.0
    }

    init(_ options: Options, now: ContinuousClock.Instant) {
        self.options = options
        limit = options.requestsMax
        current = Window(start: now)
    }

    // MARK: - Events

    /// A request has come. false: it is to be refused, and is not counted.
    mutating func arrive() -> Bool {
        guard inService < limit else { return false }
        inService += 1
        return true
    }

    /// The gateway waits for the client that makes a request: such a request takes nobody's place.
    mutating func pause() { inService -= 1 }

    mutating func resume() { inService += 1 }

    /// A request has ended, whose duration says nothing.
    mutating func leave() { inService -= 1 }

    /// A request has ended that took so long, without the waiting for its client. Answers how much longer than usual.
    mutating func leave(_ kind: String, after duration: Duration, now: ContinuousClock.Instant) -> Duration {
        let known = usual[kind]
        if inService <= options.requestsMin || known == nil { usual.learn(kind, duration) }
        inService -= 1
        let expected = known ?? duration
        let allowance = expected * 2 + options.delay
        current.ended += 1
        current.allowance += allowance / .seconds(1)
        if duration > allowance { current.late += 1 }
        judge(now)
        return max(.zero, duration - expected)
    }

    // MARK: - Decisions

    private mutating func judge(_ now: ContinuousClock.Instant) {
        let elapsed = now - current.start
        guard elapsed >= Self.window, current.ended >= Self.samplesMin || elapsed > Self.windowMax else { return }
        learnRate(Double(current.ended) / (elapsed / .seconds(1)), elapsed / .seconds(1))
        if current.ended >= Self.samplesMin, 2 * current.late > current.ended {
            let allowance = current.allowance / Double(current.ended)
            limit = bounded((rate ?? 0) * allowance)
        } else {
            limit = bounded(Double(limit) * Self.growth + 1)
        }
        current = Window(start: now)
    }

    private mutating func learnRate(_ present: Double, _ seconds: Double) {
        guard let known = rate else { return rate = present }
        rate = known + (present - known) * min(1, seconds / Self.rateMemory)
    }

    private func bounded(_ wanted: Double) -> Int {
        Int(min(max(wanted, Double(options.requestsMin)), Double(options.requestsMax)))
    }
}
