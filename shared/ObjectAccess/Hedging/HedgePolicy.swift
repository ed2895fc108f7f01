/// When a request that one replica is slow to answer is sent to another one too: after the time in which most answers have come
/// lately, and not for more than a small part of all requests, so that a cluster that is slow as a whole is not asked twice for
/// everything. Pure.
struct HedgePolicy: Sendable {
    struct Options: Sendable, Equatable {
        /// The part of the answers that have come when the waiting ends.
        var quantile = 0.95
        /// Requests that are sent twice, of all.
        var share = 0.05
        /// So many may be sent twice at once after a quiet time.
        var burst = 16.0
        /// As long as too little is known.
        var delayAtFirst = Duration.milliseconds(100)
        /// The waiting lies between these.
        var delayMin = Duration.milliseconds(2)
        var delayMax = Duration.seconds(1)
    }

    /// So many answers are needed to learn from.
    static let samplesMin = 50
    /// The delay is found anew after so many answers.
    private static let samplesPerDelay = 32

    private let options: Options
    private var latencies = RecentLatencies()
    private var sinceDelay = 0
    private var tokens: Double
    /// How long a request waits before it may be sent to another replica too.
    private(set) var delay: Duration

    init(_ options: Options) {
        self.options = options
        tokens = options.burst
        delay = options.delayAtFirst
    }

    // MARK: - Events

    /// A request is sent for the first time. Answers how long it is to wait.
    mutating func begin() -> Duration {
        tokens = min(options.burst, tokens + options.share)
        return delay
    }

    /// A replica has answered after this time.
    mutating func answered(after latency: Duration) {
        latencies.record(latency)
        sinceDelay += 1
        guard sinceDelay >= Self.samplesPerDelay, latencies.count >= Self.samplesMin else { return }
        sinceDelay = 0
        guard let learnt = latencies.quantile(options.quantile) else { return }
        delay = min(max(learnt, options.delayMin), options.delayMax)
    }

    /// A request has waited for its delay. Whether it is to be sent to another replica too.
    mutating func mayHedge() -> Bool {
        guard options.share > 0, tokens >= 1 else { return false }
        tokens -= 1
        return true
    }
}
