import Model

/// The Lamport clock of a writing process: every ballot counter that it uses is above all that it has seen.
///
/// One clock serves all keys, so that a replica whose promises were lifted to its ceiling by a restart refuses a
/// writer once, not once for each key.
public struct WriterClock: Sendable {
    public private(set) var counter: UInt64
    /// Above which sequence a chain begins of which a replica has nothing: the highest that a promise has named.
    public private(set) var base: UInt64 = 0

    public init(counter: UInt64 = 0) { self.counter = min(counter, Ballot.counterMax) }

    /// Takes in a counter that some reply carried. Impossible ones are ignored.
    public mutating func observe(_ seen: UInt64) {
        if seen <= Ballot.counterMax { counter = max(counter, seen) }
    }

    /// Takes in the beginning of a chain.
    public mutating func observe(base seen: UInt64) { base = max(base, seen) }

    /// The counter of the next ballot.
    public mutating func next() -> UInt64 {
        counter = min(counter + 1, Ballot.counterMax)
        return counter
    }
}

/// How long a writer waits before its next attempt.
public enum BackOff {
    /// Milliseconds before the attempt that follows attempt number `attempt` (from 1). The first repetition is
    /// immediate: a single refusal mostly means that a replica was restarted, and the counter has jumped past it.
    /// Later ones are random in a range that doubles up to 256 ms, so that competing writers get out of step.
    public static func milliseconds(
        afterAttempt attempt: Int, using generator: inout some RandomNumberGenerator
    ) -> Int {
        guard attempt > 1 else { return 0 }
        return Int.random(in: 0...(4 << min(attempt - 1, 6)), using: &generator)
    }
}
