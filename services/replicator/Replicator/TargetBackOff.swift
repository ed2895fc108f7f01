import Model

/// Which nodes are worth a try: one that failed is left alone for a time that doubles, up to a limit.
struct TargetBackOff: Sendable {
    static let first = Duration.seconds(1)
    static let longest = Duration.seconds(15)

    private struct Pause: Sendable {
        var length: Duration
        var end: Duration
    }

    private var pauses: [NodeName: Pause] = [:]

    /// - Parameter now: time since any fixed moment.
    func allows(_ node: NodeName, now: Duration) -> Bool { pauses[node].map { now >= $0.end } ?? true }

    mutating func failed(_ node: NodeName, now: Duration) {
        let length = min(pauses[node].map { $0.length * 2 } ?? Self.first, Self.longest)
        pauses[node] = Pause(length: length, end: now + length)
    }

    mutating func succeeded(_ node: NodeName) { pauses[node] = nil }
}
