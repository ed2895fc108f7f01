import Model

/// What a caller wants to do with the state that it is shown.
public enum RegisterChange<Record: RegisterRecord>: Sendable, Equatable {
    case write(Record)
    /// Change nothing, but answer from a decided state: what a reader does that finishes a round.
    case keep
    /// Like `keep`, but always commit, so that the state gets the ballot of this round: what heals a replica that
    /// cannot read its record.
    case confirm
    /// A condition does not hold: change nothing, answer so from a decided state.
    case refuse
}

/// How an operation ended well.
public struct ProposerSuccess<Record: RegisterRecord>: Sendable, Equatable {
    public enum Kind: Sendable, Equatable {
        /// `state` is what this operation wrote.
        case written
        /// A former attempt had taken effect. `state` is the newest decided one, which may come after it.
        case recovered
        case kept
        case refused
    }
    public var kind: Kind
    /// A decided state. nil: the register was never written.
    public var state: RegisterState<Record>?
    /// What the change was decided from. nil also when a former attempt is recognised.
    public var previous: RegisterState<Record>?
    /// Replicas that are known to have `state`, and so its blobs.
    public var holders: [NodeName]

    public init(
        kind: Kind, state: RegisterState<Record>?, previous: RegisterState<Record>?, holders: [NodeName]
    ) {
        self.kind = kind
        self.state = state
        self.previous = previous
        self.holders = holders
    }
}

/// How an operation failed.
public enum ProposerFailure: Error, Sendable, Equatable {
    /// So many replicas are out of reach (or do not vote) that there is no quorum. Nothing has happened.
    case noQuorum(missing: [NodeName])
    /// Other writers came first in every attempt. Nothing has happened.
    case contended
    /// The deadline passed. Nothing has happened.
    case deadlineExceeded
    /// An attempt may have taken effect, or may still, and nobody can tell.
    case outcomeUnknown
}

/// The two requests of a round.
public enum ProposerRequest: Sendable, Equatable {
    case stage
    case commit
}

/// What the shell has to do for a `Proposer`.
public enum ProposerDirective<Record: RegisterRecord>: Sendable, Equatable {
    /// Send STAGE with the ballot to these nodes and start the timer of this attempt; when it fires, call `onTimeout`
    /// with the ballot. The payload of a small object goes along in the first attempt only: what got lost is asked for.
    case stage(ballot: Ballot, to: [NodeName], attempt: Int)
    /// As `stage`, with this state, which the replica is to accept at once if it holds nothing. The payload goes along. The
    /// replica must see this request at most once.
    case propose(RegisterState<Record>, to: NodeName)
    /// Apply the pure change to this state, which may not be decided yet, and call `decided` with the result before any
    /// other event. May come once in every attempt.
    case decide(current: RegisterState<Record>?)
    /// Send COMMIT with this state to these nodes.
    case commit(RegisterState<Record>, to: [NodeName])
    /// Send COMMIT once more, with the blobs that the state refers to. The writer of a blob has it; the blobs of
    /// others are read from one of `holders`.
    case commitWithBlobs(RegisterState<Record>, to: NodeName, holders: [NodeName])
    /// The operation is done: answer the client. Go on feeding events until `hint` or `isFinished`, and call
    /// `onTimeout` about a second later, so that stragglers become known.
    case succeed(ProposerSuccess<Record>)
    /// The operation has failed: answer the client. Nothing follows.
    case fail(ProposerFailure)
    /// This attempt is over. Wait as `BackOff` says, then call `begin` with the next counter of the clock.
    case backOff(attempt: Int)
    /// This attempt is over, because replicas work by a newer ring. Fetch it, call `renew` with its quorums, then `begin`.
    case renew(attempt: Int)
    /// The last directive after a success: these replicas did not acknowledge `state`, these did. Tell those that did,
    /// so that they keep the hint.
    case hint(RegisterState<Record>, missed: [NodeName], acknowledged: [NodeName])
}
