import FailureDetection
import Model

/// What the manager knows of a member at one moment.
struct Liveness: Sendable, Equatable {
    var verdict = MemberLife.Verdict.unknown
    /// Time since its last sign of life; nil: none since the manager's start.
    var silence: Duration?
    /// The ring and the state that it works with.
    var ringHash: UInt32 = 0
    var epoch: UInt64 = 0
    var revision: UInt64 = 0

    var isAlive: Bool { verdict == .alive || verdict == .suspected }
}
