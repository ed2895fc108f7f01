/// When a lifecycle's days are over. A day may be shorter than others know it, for tests of whole clusters.
public struct LifecycleClock: Sendable, Equatable {
    private let dayMilliseconds: Int64

    /// - Parameter day: how long a day takes; at least one millisecond.
    public init(day: Duration) {
        dayMilliseconds = max(
            1, Int64(clamping: day.components.seconds) * 1000 + day.components.attoseconds / 1_000_000_000_000_000)
    }

    /// So many days after a time, in milliseconds since 1970: the next midnight, as AWS counts.
    public func end(of days: Int64, after milliseconds: Int64) -> Int64 {
        let (length, overflow) = days.multipliedReportingOverflow(by: dayMilliseconds)
        guard !overflow, length < .max / 4, milliseconds < .max / 4, milliseconds >= 0 else { return .max }
        let end = milliseconds + length
        return (end + dayMilliseconds - 1) / dayMilliseconds * dayMilliseconds
    }
}

extension LifecycleRule {
    /// When the rule removes a current object that it is about; nil: never.
    public func expiration(modifiedMilliseconds: Int64, _ clock: LifecycleClock) -> Int64? {
        guard isEnabled else { return nil }
        if let expirationDate { return expirationDate }
        return expirationDays.map { clock.end(of: $0, after: modifiedMilliseconds) }
    }
}

extension LifecycleConfiguration {
    /// The rule that removes a current object first, and when.
    /// - Parameter tags: of the object, by name; asked for at most once, and only if a rule needs them.
    public func expiration(
        key: [UInt8], size: UInt64, modifiedMilliseconds: Int64, _ clock: LifecycleClock,
        tags: () -> [String: String]
    ) -> (rule: LifecycleRule, milliseconds: Int64)? {
        var first: (rule: LifecycleRule, milliseconds: Int64)?
        for rule in rules {
            guard let time = rule.expiration(modifiedMilliseconds: modifiedMilliseconds, clock),
                time < first?.milliseconds ?? .max, rule.filter.matches(key: key), rule.filter.matches(size: size),
                rule.filter.tags.isEmpty || rule.filter.matches(tags: tags())
            else { continue }
            first = (rule, time)
        }
        return first
    }
}
