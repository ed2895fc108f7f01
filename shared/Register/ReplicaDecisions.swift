import Model

/// One append that a replica decided, in the order of decisions. The shell appends the state to its log and reports
/// `RegisterReplica.synced` with the same ticket when the state is durable.
public struct AppendTicket: Hashable, Comparable, Sendable {
    let number: UInt64
    public static func < (a: Self, b: Self) -> Bool { a.number < b.number }
}

/// What must be durable before an answer may leave the replica.
public struct Durability: Sendable, Hashable {
    /// This append must be synced.
    public var append: AppendTicket?
    /// The ceiling must be durable at this counter or above.
    public var ceiling: UInt64?

    public init(append: AppendTicket? = nil, ceiling: UInt64? = nil) {
        self.append = append
        self.ceiling = ceiling
    }

    /// The answer may leave at once.
    public static let nothing = Durability()
    public var isNothing: Bool { append == nil && ceiling == nil }
}

/// What the shell found on its disk for a key, by a read in the same critical section as the call that takes it.
public enum DurableState<Record: RegisterRecord>: Sendable, Equatable {
    case absent
    case found(RegisterState<Record>)
    /// There is something, but it cannot be read: the replica abstains for this key until it gets a state that is newer
    /// than anything it can have voted for.
    case unreadable
    /// Records of unknown keys were lost, and this key may be one of them: nothing is here, or something that is older
    /// than the loss. The replica abstains until it gets a state above the bound of its ``ReplicaDoubt``.
    case doubtful
}

/// Whether a replica has lost records of unknown keys, and how high their ballots can have been.
public enum ReplicaDoubt: Sendable, Hashable {
    /// It remembers everything that it has promised and accepted.
    case none
    /// It may also have lost ceilings, so that nobody knows how far it has voted: nothing can heal it yet.
    case unbounded
    /// No promise and no acceptance that it has forgotten has a higher counter.
    case bounded(UInt64)
}

public enum StageAnswer<Record: RegisterRecord>: Sendable, Equatable {
    /// No lower ballot will be accepted. `state` is what is accepted so far; nil: nothing.
    case promised(state: RegisterState<Record>?)
    /// Nothing was here, and the proposal that came along is accepted.
    case accepted
    /// `promise` is at least the ballot that was asked for.
    case refused(state: RegisterState<Record>?, promise: Ballot)
    /// No vote: the record of this key is damaged, or the whole replica is not proved complete.
    case abstained
}

public enum CommitAnswer: Sendable, Equatable {
    /// The state, or exactly this one already, is accepted.
    case accepted
    case refused(promise: Ballot)
    /// It would be accepted, but blobs that it refers to are not here: nothing has changed.
    case blobMissing
    /// The state may be kept, but without a vote: it counts in no quorum.
    case abstained
}

public enum LearnAnswer: Sendable, Equatable {
    case learned
    /// The replica has this tag or a higher one.
    case known
    case blobMissing
    /// Too old to heal what the replica has lost, or older than tombstones that it has purged: the writer's round must use
    /// a counter above `counter` of the decision.
    case tooOld
    /// Nothing can heal it yet: see ``ReplicaDoubt/unbounded``.
    case abstained
}

public enum FenceAnswer: Sendable, Equatable {
    case fenced
    /// The counter is above all that are allowed.
    case refused
}

public enum PurgeAnswer: Sendable, Equatable {
    /// The tombstone is gone when the decision is durable, and nothing older comes in its place.
    case purged
    /// The key holds something else, or nothing, or its state is not durable yet: nothing has changed.
    case kept
    /// No vote: what the replica has cannot be trusted.
    case abstained
}

public enum ReadAnswer<Record: RegisterRecord>: Sendable, Equatable {
    case state(RegisterState<Record>?)
    case abstained
}

/// What the shell has to do for one request, all of it: append, raise the ceiling, answer when `after` holds.
public struct ReplicaDecision<Record: RegisterRecord, Answer: Sendable & Equatable>: Sendable, Equatable {
    public var answer: Answer
    /// The answer must wait until this is durable.
    public var after: Durability = .nothing
    /// Append this state to the log. Later requests already see it.
    public var append: ReplicaAppend<Record>?
    /// Append that the tombstone is dropped, behind a record of the floor. Later requests find the key absent.
    public var purge: ReplicaPurge?
    /// A promise that nothing is here: above which sequence the chain of the key begins.
    public var base: UInt64 = 0
    /// Make the ceiling durable at this counter, then report `ceilingRaised(to:)`. It is far ahead, so that it is rare;
    /// should two be under way, a lower one must not overwrite a higher one on the disk.
    public var raiseCeiling: UInt64?
    /// The largest counter that the replica knows of; goes into the reply, so that writers jump past it.
    public var counter: UInt64
}

/// A state that goes into the log.
public struct ReplicaAppend<Record: RegisterRecord>: Sendable, Equatable {
    public var ticket: AppendTicket
    public var state: RegisterState<Record>
}

/// A tombstone that is dropped, in the log behind a record of the floor.
public struct ReplicaPurge: Sendable, Equatable {
    public var ticket: AppendTicket
    public var tag: Ballot
    public var floor: PurgeFloor
}

public typealias StageDecision<Record: RegisterRecord> = ReplicaDecision<Record, StageAnswer<Record>>
public typealias CommitDecision<Record: RegisterRecord> = ReplicaDecision<Record, CommitAnswer>
public typealias LearnDecision<Record: RegisterRecord> = ReplicaDecision<Record, LearnAnswer>
public typealias ReadDecision<Record: RegisterRecord> = ReplicaDecision<Record, ReadAnswer<Record>>
public typealias FenceDecision<Record: RegisterRecord> = ReplicaDecision<Record, FenceAnswer>
public typealias PurgeDecision<Record: RegisterRecord> = ReplicaDecision<Record, PurgeAnswer>
