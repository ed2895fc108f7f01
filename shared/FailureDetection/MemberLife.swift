import Model

/// What an observer holds of one member.
public struct MemberLife: Sendable, Equatable {
    public enum Verdict: String, Sendable, CaseIterable {
        /// Not heard yet, and not long enough to judge.
        case unknown
        case alive
        /// Silent, but it may still refute that.
        case suspected
        case down
    }

    public internal(set) var verdict = Verdict.unknown
    /// Since when the verdict holds.
    public internal(set) var since: Duration
    /// Whether there ever was a proof of life.
    public internal(set) var wasHeard = false
    /// The last proof of life; of a member that was never heard, when waiting for it began.
    public internal(set) var heard: Duration
    /// Which start of the process was heard last; 0: none.
    public internal(set) var incarnation: UInt64 = 0
    /// A late heartbeat of this one says nothing any more.
    var previousIncarnation: UInt64 = 0
    /// Number of its last heartbeat.
    var sequence: UInt64 = 0
    var lastProbe: Duration

    init(at now: Duration) {
        since = now
        heard = now
        lastProbe = now
    }

    /// Whether the heartbeat is none that was sent before one that is known.
    mutating func isNews(_ incarnation: UInt64, _ sequence: UInt64) -> Bool {
        if incarnation == self.incarnation {
            guard sequence > self.sequence else { return false }
        } else {
            // Incarnations are told apart, not ordered: they are times of clocks that may be set back.
            guard incarnation != previousIncarnation else { return false }
            previousIncarnation = self.incarnation
            self.incarnation = incarnation
        }
        self.sequence = sequence
        return true
    }
}
