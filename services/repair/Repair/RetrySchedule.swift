/// What failed is tried again after a time that doubles, up to a limit. A pure value: time is given.
struct RetrySchedule<Key: Hashable & Sendable>: Sendable {
    static var first: Duration { .seconds(2) }
    static var longest: Duration { .seconds(600) }
    /// Keys remembered; what finds no room is tried each time.
    static var keysMax: Int { 100_000 }

    private struct Pause {
        var length: Duration
        var end: Duration
    }

    private var pauses: [Key: Pause] = [:]

    /// - Parameter now: time since any fixed moment.
    func allows(_ key: Key, now: Duration) -> Bool { pauses[key].map { now >= $0.end } ?? true }

    /// When the first of what failed may be tried again.
    var next: Duration? { pauses.values.lazy.map(\.end).min() }

    mutating func failed(_ key: Key, now: Duration) {
        guard pauses.count < Self.keysMax || pauses[key] != nil else { return }
        let length = min(pauses[key].map { $0.length * 2 } ?? Self.first, Self.longest)
        pauses[key] = Pause(length: length, end: now + length)
    }

    /// Forgets what is no longer wanted.
    mutating func retain(where isWanted: (Key) -> Bool) { pauses = pauses.filter { isWanted($0.key) } }
}
