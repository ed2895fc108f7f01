import Testing

@testable import Gateway

/// A server in virtual time behind an ``AdmissionLimit``: takes up to `batchMax` requests at once, each batch a fixed time and
/// so much for each request. Requests come at a rate, whatever happens.
struct SimulatedServer {
    var batchMax = 1
    var perBatch = Duration.zero
    var perRequest = Duration.microseconds(500)
    private(set) var limit: AdmissionLimit
    private(set) var served = 0
    private(set) var refused = 0
    /// Of the requests that were served.
    private(set) var durations: [Duration] = []

    private(set) var now = ContinuousClock.now
    private var waiting: [ContinuousClock.Instant] = []
    private var head = 0
    private var batch: [ContinuousClock.Instant] = []
    private var busyUntil: ContinuousClock.Instant?
    private var stalledUntil: ContinuousClock.Instant

    init(_ options: AdmissionLimit.Options = .init(), batchMax: Int = 1, perBatch: Duration = .zero) {
        limit = AdmissionLimit(options, now: now)
        stalledUntil = now
        (self.batchMax, self.perBatch) = (batchMax, perBatch)
    }

    /// Requests a second at best.
    var capacity: Double { Double(batchMax) / ((perBatch + perRequest * batchMax) / .seconds(1)) }

    var median: Duration { durations.sorted()[durations.count / 2] }

    /// Lets requests come at even distances; what was counted before is forgotten.
    mutating func run(_ rate: Double, for time: Duration) {
        (served, refused, durations) = (0, 0, [])
        let end = now + time
        var arrival = now
        while arrival < end {
            advance(to: arrival)
            arrive()
            arrival += .seconds(1 / rate)
        }
        advance(to: end)
    }

    /// So many at the same moment.
    mutating func burst(_ count: Int) {
        (served, refused, durations) = (0, 0, [])
        for _ in 0..<count { arrive() }
    }

    /// Nothing ends before this time is over.
    mutating func stall(_ time: Duration) { stalledUntil = now + time }

    mutating func drain() { while let end = busyUntil { advance(to: end) } }

    private mutating func arrive() {
        guard limit.arrive() else { return refused += 1 }
        waiting.append(now)
        if busyUntil == nil { begin() }
    }

    private mutating func advance(to time: ContinuousClock.Instant) {
        while let end = busyUntil, end <= time {
            now = end
            for arrival in batch {
                durations.append(now - arrival)
                _ = limit.leave("getObject", after: now - arrival, now: now)
            }
            served += batch.count
            begin()
        }
        now = max(now, time)
    }

    private mutating func begin() {
        let count = min(batchMax, waiting.count - head)
        guard count > 0 else {
            (waiting, head, batch, busyUntil) = ([], 0, [], nil)
            return
        }
        batch = Array(waiting[head..<head + count])
        head += count
        busyUntil = max(now, stalledUntil) + perBatch + perRequest * count
    }
}
