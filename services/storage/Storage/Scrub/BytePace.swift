/// So many bytes per second on average, with bursts of a tenth of a second. A pure value: time is given.
struct BytePace: Sendable {
    private(set) var perSecond: Double
    private var free: Double
    private var last: Duration

    init(perSecond: Int, now: Duration) {
        self.perSecond = Double(max(perSecond, 1))
        free = self.perSecond / 10
        last = now
    }

    /// How long to wait after so many bytes. They count as done.
    mutating func take(_ bytes: Int, now: Duration) -> Duration {
        free = min(perSecond / 10, free + max((now - last) / .seconds(1), 0) * perSecond)
        last = max(now, last)
        free -= Double(bytes)
        return free >= 0 ? .zero : .seconds(-free / perSecond)
    }

    mutating func change(perSecond new: Int) {
        perSecond = Double(max(new, 1))
        free = min(free, perSecond / 10)
    }
}
