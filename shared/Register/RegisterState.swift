import Model

/// What a register holds, as far as the protocol needs to know: it is opaque but for being a tombstone.
public protocol RegisterRecord: Sendable, Equatable {
    /// The record says that the key was deleted.
    var isTombstone: Bool { get }
}

/// The replicated state of one register. Two states of one register with the same tag are the same state.
public struct RegisterState<Record: RegisterRecord>: Sendable, Equatable {
    /// The ballot under which this state was last proposed: higher wins.
    public var tag: Ballot
    /// Place in the decided chain: how many writes led here. 0 means never written.
    public var sequence: UInt64
    /// The last operations that led here, newest last, at most `Limits.recentOperations`.
    public var recentOperations: [OperationID]
    /// nil: never written.
    public var record: Record?

    public init(tag: Ballot, sequence: UInt64, recentOperations: [OperationID], record: Record?) {
        self.tag = tag
        self.sequence = sequence
        self.recentOperations = recentOperations
        self.record = record
    }

    /// A record is here and is not a tombstone.
    public var isLive: Bool { record.map { !$0.isTombstone } ?? false }

    /// The same content under a higher ballot: what a round commits that finishes the work of another.
    public func retagged(_ ballot: Ballot) -> Self {
        var state = self
        state.tag = ballot
        return state
    }

    /// The state that `operation` makes of `previous` by writing `record`.
    /// - Parameter base: above which sequence the chain begins when there is no previous state.
    public static func successor(
        of previous: Self?, writing record: Record, operation: OperationID, ballot: Ballot, base: UInt64 = 0
    ) -> Self {
        let recent = (previous?.recentOperations ?? []) + [operation]
        return Self(
            // Saturating: a sequence may come from a damaged message.
            tag: ballot, sequence: min(previous?.sequence ?? base, .max - 1) + 1,
            recentOperations: Array(recent.suffix(Limits.recentOperations)), record: record)
    }
}

extension Ballot {
    /// Counters above this are refused or ignored wherever they come from outside: nobody can use up the numbers.
    public static let counterMax: UInt64 = 1 << 62
}
