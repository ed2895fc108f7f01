/// Spreads bytes over time so that on average no more than `rate` a second are used. Pure: time comes from outside.
struct CompactionPace: Sendable {
    /// Time that may be saved up. Rests end late, by a millisecond or more: without it a disk of small records, with a
    /// rest for each, would get on at a fraction of its rate.
    static let savedMax = Duration.milliseconds(20)

    /// Bytes a second; 0: no limit.
    var rate: Int
    /// When everything used so far has been paid for.
    private var paidUntil: ContinuousClock.Instant

    init(rate: Int, now: ContinuousClock.Instant) {
        self.rate = rate
        paidUntil = now
    }

    /// Takes note of bytes that were used; returns until when to rest.
    mutating func use(_ bytes: Int, now: ContinuousClock.Instant) -> ContinuousClock.Instant {
        guard rate > 0 else { return now }
        paidUntil = max(paidUntil, now - Self.savedMax).advanced(by: .seconds(Double(bytes) / Double(rate)))
        return paidUntil
    }
}
