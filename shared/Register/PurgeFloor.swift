import Model

/// What a replica remembers, for all its keys together, of the tombstones that it has purged. It only grows, and is durable
/// before a tombstone goes.
///
/// A key without a state may have been purged up to here. So for each of them ballots up to the floor count as promised, no
/// state up to the floor is learned, and a new chain begins above the floor's sequence.
public struct PurgeFloor: Sendable, Hashable {
    /// The highest tag of a purged tombstone.
    public var ballot: Ballot
    /// The highest sequence of a purged tombstone; 0: none was purged.
    public var sequence: UInt64

    public init(ballot: Ballot, sequence: UInt64) {
        self.ballot = ballot
        self.sequence = sequence
    }

    /// Nothing was purged.
    public static let zero = PurgeFloor(ballot: .zero, sequence: 0)

    /// The least floor that is at or above both.
    public func joined(with other: PurgeFloor) -> PurgeFloor {
        PurgeFloor(ballot: max(ballot, other.ballot), sequence: max(sequence, other.sequence))
    }

    /// Above which sequence the chain of a key without a state begins: so far that the window of a new chain and that of a
    /// purged one have nothing in common, and a writer that repeats an operation of the purged chain knows that it cannot
    /// know. An operation that took effect before the tombstone was built on a sequence below the tombstone's.
    public var base: UInt64 {
        sequence == 0 ? 0 : min(sequence, .max - 64) + UInt64(Limits.recentOperations)
    }
}
