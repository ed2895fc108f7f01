/// So many per second, on average, with bursts of at most one second. A pure value: time is given.
struct RateLimit: Sendable {
    private let perSecond: Double
    private var free: Double
    private var last: Duration

    init(perSecond: Int, now: Duration) {
        self.perSecond = Double(max(perSecond, 1))
        free = self.perSecond
        last = now
    }

    /// How long to wait before `count` more may be done. They count as done.
    mutating func take(_ count: Int, now: Duration) -> Duration {
        free = min(perSecond, free + max((now - last).inSeconds, 0) * perSecond)
        last = max(now, last)
        free -= Double(count)
        return free >= 0 ? .zero : .seconds(-free / perSecond)
    }
}

extension Duration {
    fileprivate var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
