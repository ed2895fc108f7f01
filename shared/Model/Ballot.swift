/// A ballot number of CASPaxos, and the tag of a record: totally ordered by counter, then writer.
///
/// Clocks never order writes; counters do. See Rystsov, "CASPaxos: Replicated State Machines without logs" (2018).
public struct Ballot: Hashable, Comparable, Sendable, CustomStringConvertible {
    public var counter: UInt64
    /// Unique number of the writing process, given by the manager at enrolment.
    public var writer: UInt64

    public init(counter: UInt64, writer: UInt64) {
        self.counter = counter
        self.writer = writer
    }

    /// Below every ballot that a writer uses: the tag of a register that was never written.
    public static let zero = Ballot(counter: 0, writer: 0)

    public static func < (a: Ballot, b: Ballot) -> Bool { (a.counter, a.writer) < (b.counter, b.writer) }

    public var description: String { "\(counter).\(writer)" }
}
