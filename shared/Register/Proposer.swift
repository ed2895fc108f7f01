import Model

/// The writer side of one operation on one register: CASPaxos with retries.
///
/// A pure value: each event is answered by the directives that it causes, in order. Every event of a replica carries
/// the ballot of the request that it answers; those of former attempts, repeated ones and those of strangers change
/// nothing.
///
/// A round is: stage to all → a quorum of promises → the change is decided from the highest state → commit to all → a
/// write quorum. Three rules keep an operation from happening twice, or being denied though it happened:
///
/// - The operation's id stands in every state that it may have led to. An attempt that finds it there completes that
///   state. One that does not, though the chain has moved on by more than a state remembers, ends as `outcomeUnknown`.
/// - A refused condition is answered only from a decided state: if the promises do not show that it is, or an earlier
///   attempt has sent commits, the round first commits the state unchanged.
/// - Once a commit with the operation in it has left, no failure says that nothing happened.
public struct Proposer<Record: RegisterRecord>: Sendable {
    public typealias Directive = ProposerDirective<Record>
    public typealias State = RegisterState<Record>

    public let operation: OperationID
    public let writer: UInt64
    public private(set) var rule: QuorumRule
    public let attemptsMax: Int

    private var phase = Phase.idle
    private var attempt = 0
    /// The largest counter that any reply carried.
    private var highestCounter: UInt64 = 0
    /// The lowest sequence of the register on which a commit with this operation was built. nil: none has left.
    private var firstCommitted: UInt64?
    /// A replica has refused this attempt because the ring has changed.
    private var isOutdated = false

    private enum Phase: Sendable {
        /// No attempt is under way. `begin` → staging; `renew` → idle; `onDeadline` → finished.
        case idle
        /// STAGE is sent. A quorum of promises → deciding or committing; refusals, timer → idle or finished.
        case staging(Staging)
        /// The caller evaluates its change. `decided` → committing or finished.
        case deciding(Staging)
        /// COMMIT is sent. A write quorum → settling; refusals, timer → idle or finished.
        case committing(Committing)
        /// The operation has succeeded and waits for stragglers. The last answer or the timer → finished.
        case settling(Committing)
        /// Nothing leads out.
        case finished
    }

    private struct Staging: Sendable {
        var ballot: Ballot
        var promised = MemberSet()
        /// Refused by a higher promise: the next attempt may have better luck.
        var refused = MemberSet()
        /// Out of reach or without a vote.
        var lost = MemberSet()
        var top = TopState<Record>()
        /// Above which sequence the chain begins when nobody has a state: what was purged was at or below.
        var base: UInt64 = 0
        /// What was sent along, and may be accepted already.
        var proposal: State?

        var sequence: UInt64 { top.state?.sequence ?? base }
    }

    private struct Committing: Sendable {
        var state: State
        var previous: State?
        var kind: ProposerSuccess<Record>.Kind
        var accepted = MemberSet()
        var refused = MemberSet()
        var lost = MemberSet()
        /// Replicas that have the blobs of `state`.
        var holders: MemberSet
        var resent = MemberSet()
    }

    /// - Parameters:
    ///   - operation: new for every operation, the same over all its attempts.
    ///   - rule: quorums as they are in force; for a delete, made with `deleting: true`.
    public init(operation: OperationID, writer: UInt64, rule: QuorumRule, attemptsMax: Int = 16) {
        self.operation = operation
        self.writer = writer
        self.rule = rule
        self.attemptsMax = attemptsMax
    }

    /// No event changes anything any more.
    public var isFinished: Bool { if case .finished = phase { true } else { false } }

    // MARK: - Events of the caller

    /// Begins the first attempt, or the next one after `backOff`. `counter` is the next one of the process's clock,
    /// which has observed all replies.
    /// - Parameters:
    ///   - opening: what the change writes if the key holds nothing. Where one replica decides alone it goes along with the
    ///     first attempt, which is then the only round trip if that is so.
    ///   - base: above which sequence a chain begins of which nobody has anything, as far as the caller has heard.
    public mutating func begin(counter: UInt64, opening: Record? = nil, base: UInt64 = 0) -> [Directive] {
        guard case .idle = phase else { preconditionFailure("an attempt begins only when none is under way") }
        attempt += 1
        isOutdated = false
        let above = max(counter, highestCounter + 1, 1)
        let ballot = Ballot(counter: min(above, Ballot.counterMax), writer: writer)
        var staging = Staging(ballot: ballot)
        defer { phase = .staging(staging) }
        guard attempt == 1, let opening, let node = onlyReplica else {
            return [.stage(ballot: ballot, to: rule.members, attempt: attempt)]
        }
        let proposal = State.successor(of: nil, writing: opening, operation: operation, ballot: ballot, base: base)
        staging.proposal = proposal
        firstCommitted = base
        return [.propose(proposal, to: node)]
    }

    /// The replica that decides alone; nil: there are several.
    public var onlyReplica: NodeName? { rule.members.count == 1 ? rule.members[0] : nil }

    /// The ring has changed: the attempts to come go by these quorums. What was sent before stays in mind: it may have
    /// taken effect.
    public mutating func renew(_ rule: QuorumRule) {
        guard case .idle = phase else { preconditionFailure("quorums change only between two attempts") }
        self.rule = rule
    }

    /// The answer to `decide`.
    public mutating func decided(_ change: RegisterChange<Record>) -> [Directive] {
        guard case .deciding(let staging) = phase else {
            precondition(isFinished, "a change is decided only when it was asked for")
            return []
        }
        switch change {
        case .write(let record):
            let top = staging.top.state
            let state = State.successor(
                of: top, writing: record, operation: operation, ballot: staging.ballot, base: staging.base)
            firstCommitted = min(firstCommitted ?? .max, staging.sequence)
            return commit(state, previous: top, kind: .written, holders: MemberSet())
        case .keep: return settle(staging, kind: .kept)
        case .confirm: return settle(staging, kind: .kept, committing: true)
        case .refuse: return settle(staging, kind: .refused)
        }
    }

    /// The timer of the attempt with this ballot has fired. A shell that has no timer of its own, but is told of each
    /// request that got no answer in time, names the request: then it says nothing about the other phase.
    public mutating func onTimeout(ballot: Ballot, request: ProposerRequest? = nil) -> [Directive] {
        guard ballot == currentBallot else { return [] }
        switch phase {
        case .staging where request != .commit: return retry()
        case .committing where request != .stage: return retry()
        case .settling(let committing) where request != .stage: return finish(committing)
        case .idle, .staging, .deciding, .committing, .settling, .finished: return []
        }
    }

    /// The client waits no longer, or the process stops.
    public mutating func onDeadline() -> [Directive] {
        switch phase {
        case .idle, .staging, .deciding, .committing: return fail(.deadlineExceeded)
        case .settling(let committing): return finish(committing)
        case .finished: return []
        }
    }

    // MARK: - Events of replicas

    /// - Parameter base: of a replica without a state, above which sequence the chain of the key begins.
    public mutating func onPromise(
        from node: NodeName, ballot: Ballot, state: State?, counter: UInt64 = 0, base: UInt64 = 0
    ) -> [Directive] {
        observe(counter, state?.tag.counter)
        guard case .staging(var staging) = phase, staging.ballot == ballot, let member = rule.index(of: node),
            staging.promised.insert(member)
        else { return [] }
        withdraw(&staging)
        staging.refused.remove(member)
        staging.lost.remove(member)
        staging.top.add(state, of: member, counts: rule.witnesses.contains(member))
        staging.base = max(staging.base, base)
        phase = .staging(staging)
        return rule.isPrepareQuorum(staging.promised) ? evaluate(staging) : []
    }

    public mutating func onStageRefused(
        from node: NodeName, ballot: Ballot, promise: Ballot, counter: UInt64 = 0
    ) -> [Directive] {
        observe(promise.counter, counter)
        return stagingFailed(node, ballot, untouched: true) { $0.refused.insert($1) }
    }

    /// The replica held nothing and has accepted what was proposed.
    public mutating func onProposalAccepted(
        from node: NodeName, ballot: Ballot, counter: UInt64 = 0
    ) -> [Directive] {
        if case .staging(let staging) = phase, staging.ballot == ballot, let state = staging.proposal {
            phase = .committing(
                Committing(state: state, previous: nil, kind: .written, holders: MemberSet()))
        }
        return onAccepted(from: node, ballot: ballot, counter: counter)
    }

    public mutating func onAccepted(from node: NodeName, ballot: Ballot, counter: UInt64 = 0) -> [Directive] {
        observe(counter)
        return committingChanged(node, ballot) { committing, member in
            committing.accepted.insert(member)
            committing.holders.insert(member)
            committing.refused.remove(member)
            committing.lost.remove(member)
        }
    }

    public mutating func onCommitRefused(
        from node: NodeName, ballot: Ballot, promise: Ballot, counter: UInt64 = 0
    ) -> [Directive] {
        observe(promise.counter, counter)
        return committingChanged(node, ballot) { committing, member in
            if !committing.accepted.contains(member) { committing.refused.insert(member) }
        }
    }

    /// The replica would accept, but lacks blobs. It is sent them once in each attempt.
    public mutating func onBlobMissing(from node: NodeName, ballot: Ballot, counter: UInt64 = 0) -> [Directive] {
        observe(counter)
        guard ballot == currentBallot, let member = rule.index(of: node) else { return [] }
        switch phase {
        case .committing(var committing) where committing.resent.insert(member):
            phase = .committing(committing)
            return [resend(committing, to: member)]
        case .settling(var committing) where committing.resent.insert(member):
            phase = .settling(committing)
            return [resend(committing, to: member)]
        default: return onLost(node, ballot: ballot, request: .commit)
        }
    }

    /// No acceptance of the request that is named will come from this replica: no connection, an error, a full queue,
    /// or it abstains.
    /// - Parameter untouched: the replica itself says that it has done nothing.
    public mutating func onLost(
        _ node: NodeName, ballot: Ballot, request: ProposerRequest, untouched: Bool = false
    ) -> [Directive] {
        switch request {
        case .stage: stagingFailed(node, ballot, untouched: untouched) { $0.lost.insert($1) }
        case .commit:
            committingChanged(node, ballot) { committing, member in
                if !committing.accepted.contains(member) { committing.lost.insert(member) }
            }
        }
    }

    /// The replica works by a newer ring than this attempt.
    public mutating func onOutdated(_ node: NodeName, ballot: Ballot, request: ProposerRequest) -> [Directive] {
        guard ballot == currentBallot, rule.index(of: node) != nil else { return [] }
        isOutdated = true
        return onLost(node, ballot: ballot, request: request, untouched: true)
    }

    // MARK: - Decisions

    private var currentBallot: Ballot? {
        switch phase {
        case .staging(let staging), .deciding(let staging): staging.ballot
        case .committing(let committing), .settling(let committing): committing.state.tag
        case .idle, .finished: nil
        }
    }

    private mutating func observe(_ counters: UInt64?...) {
        for case let seen? in counters where seen < Ballot.counterMax { highestCounter = max(highestCounter, seen) }
    }

    /// A quorum has promised.
    private mutating func evaluate(_ staging: Staging) -> [Directive] {
        let top = staging.top.state
        if let top, top.recentOperations.contains(operation) {
            return settle(staging, kind: .recovered)
        }
        if let firstCommitted, staging.sequence > firstCommitted,
            staging.sequence - firstCommitted > UInt64(Limits.recentOperations)
        {
            return fail(.outcomeUnknown)
        }
        phase = .deciding(staging)
        return [.decide(current: top)]
    }

    /// Nothing is to be changed. If the promises do not show that the state is decided, that is done first.
    private mutating func settle(
        _ staging: Staging, kind: ProposerSuccess<Record>.Kind, committing: Bool = false
    ) -> [Directive] {
        let holders = staging.top.holders
        // A commit of an earlier attempt may be at a replica that has not promised now. It is out of the race only when
        // this attempt's ballot has decided something else.
        let mayStillHappen = firstCommitted != nil && kind != .recovered
        if mayStillHappen, staging.top.state == nil { return fail(.outcomeUnknown) }
        guard let top = staging.top.state, committing || mayStillHappen || !rule.isDecided(heldBy: holders) else {
            phase = .finished
            let state = staging.top.state
            return [
                .succeed(
                    .init(
                        kind: kind, state: state, previous: kind == .recovered ? nil : state,
                        holders: state == nil ? [] : rule.names(holders)))
            ]
        }
        return commit(top.retagged(staging.ballot), previous: top, kind: kind, holders: holders)
    }

    private mutating func commit(
        _ state: State, previous: State?, kind: ProposerSuccess<Record>.Kind, holders: MemberSet
    ) -> [Directive] {
        phase = .committing(
            Committing(
                state: state, previous: kind == .recovered ? nil : previous, kind: kind, holders: holders))
        return [.commit(state, to: rule.members)]
    }

    /// The replica to which the proposal went has not accepted it, and will not: it sees it only once.
    private mutating func withdraw(_ staging: inout Staging) {
        if staging.proposal != nil { (staging.proposal, firstCommitted) = (nil, nil) }
    }

    private mutating func stagingFailed(
        _ node: NodeName, _ ballot: Ballot, untouched: Bool, _ note: (inout Staging, Int) -> Void
    ) -> [Directive] {
        guard case .staging(var staging) = phase, staging.ballot == ballot, let member = rule.index(of: node),
            !staging.promised.contains(member)
        else { return [] }
        if untouched { withdraw(&staging) }
        note(&staging, member)
        phase = .staging(staging)
        if !rule.canStillPrepare(without: staging.lost) { return noQuorum(without: staging.lost) }
        return rule.canStillPrepare(without: staging.lost.union(staging.refused)) ? [] : retry()
    }

    private mutating func committingChanged(
        _ node: NodeName, _ ballot: Ballot, _ note: (inout Committing, Int) -> Void
    ) -> [Directive] {
        guard ballot == currentBallot, let member = rule.index(of: node) else { return [] }
        switch phase {
        case .committing(var committing):
            note(&committing, member)
            phase = .committing(committing)
            if rule.isWriteQuorum(committing.accepted) { return succeed(committing) }
            if !rule.canStillWrite(without: committing.lost) { return noQuorum(without: committing.lost) }
            return rule.canStillWrite(without: committing.lost.union(committing.refused)) ? [] : retry()
        case .settling(var committing):
            note(&committing, member)
            phase = .settling(committing)
            return isSettled(committing) ? finish(committing) : []
        case .idle, .staging, .deciding, .finished: return []
        }
    }

    private mutating func succeed(_ committing: Committing) -> [Directive] {
        phase = .settling(committing)
        let success = ProposerSuccess(
            kind: committing.kind, state: committing.state, previous: committing.previous,
            holders: rule.names(committing.accepted))
        return [.succeed(success)] + (isSettled(committing) ? finish(committing) : [])
    }

    /// Every replica has answered in one way or another.
    private func isSettled(_ committing: Committing) -> Bool {
        committing.accepted.union(committing.refused).union(committing.lost) == rule.everybody
    }

    private mutating func finish(_ committing: Committing) -> [Directive] {
        phase = .finished
        let missed = rule.everybody.subtracting(committing.accepted)
        guard !missed.isEmpty else { return [] }
        return [
            .hint(committing.state, missed: rule.names(missed), acknowledged: rule.names(committing.accepted))
        ]
    }

    private mutating func noQuorum(without lost: MemberSet) -> [Directive] {
        isOutdated ? retry() : fail(.noQuorum(missing: rule.names(lost)))
    }

    private mutating func retry() -> [Directive] {
        guard attempt < attemptsMax else { return fail(.contended) }
        phase = .idle
        return isOutdated ? [.renew(attempt: attempt)] : [.backOff(attempt: attempt)]
    }

    private mutating func fail(_ failure: ProposerFailure) -> [Directive] {
        phase = .finished
        return [.fail(firstCommitted == nil ? failure : .outcomeUnknown)]
    }

    private func resend(_ committing: Committing, to member: Int) -> Directive {
        .commitWithBlobs(committing.state, to: rule.members[member], holders: rule.names(committing.holders))
    }
}
