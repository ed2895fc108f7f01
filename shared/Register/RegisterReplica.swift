import Model

/// The acceptor side of CASPaxos on one disk, for all its registers.
///
/// A pure value. The shell owns it under a lock (or on one thread), reads the key from its index in the same critical
/// section, calls the machine, leaves, and then does what the decision says. Four rules make it safe:
///
/// 1. **A promise is never forgotten**, although it is only in memory: no ballot above the durable *ceiling* is
///    promised, and after a restart every key counts as promised up to the ceiling.
/// 2. **Nothing is shown before it is durable**: a state is visible to later requests from the moment of its decision,
///    but every answer that depends on it names its append in `after`.
/// 3. **A replica without memory has no vote**: not for a record that it cannot read, not for keys of which it may have
///    lost records (`doubt`), and not at all while it is not proved complete.
///
/// Memory is bounded: a promise is kept only while it is higher than the tag of the key's state, and at most
/// `promisesMax` of them. Beyond that the oldest ones are forgotten by raising the *minimum promise* of the whole
/// replica to them. That only refuses more than before (some writers have to take a higher ballot), so it is safe.
///
/// One ballot is never used for two proposals: writers have unique ids, and a ballot whose promises were a quorum
/// cannot gather one again, because a promise for an equal ballot is refused.
public struct RegisterReplica<Name: Hashable & Sendable, Record: RegisterRecord>: Sendable {
    public typealias State = RegisterState<Record>

    /// Every ballot that this replica has answered for, by a promise or by accepting, is at or below it on disk.
    public private(set) var ceiling: UInt64
    /// Whether the replica votes. false: it was wiped or replaced and is not proved complete yet.
    public var hasVote: Bool
    /// What it may have forgotten about keys that its shell calls `doubtful`.
    public private(set) var doubt: ReplicaDoubt
    /// What it has purged.
    public private(set) var floor: PurgeFloor

    private let ceilingStep: UInt64
    private let promisesMax: Int
    private var ceilingRequested: UInt64
    private var counter: UInt64
    /// Every key counts as promised up to here.
    private var minimum: Ballot
    private var promises = PromiseTable<Name>()
    private var pending: [Name: [Pending]] = [:]
    private var tickets: [UInt64: Name] = [:]
    private var lastTicket: UInt64 = 0

    private struct Pending: Sendable {
        var ticket: UInt64
        var tag: Ballot
        /// nil: the tombstone with this tag is purged.
        var state: State?
    }

    /// - Parameters:
    ///   - ceiling: the durable ceiling of this disk; 0 on a disk that has never answered anybody.
    ///   - isDoubtful: records of unknown keys were lost, and perhaps the last ceilings with them.
    ///   - floor: the durable floor of this disk.
    ///   - ceilingStep: how far ahead the ceiling is raised.
    public init(
        ceiling: UInt64, hasVote: Bool = true, isDoubtful: Bool = false, floor: PurgeFloor = .zero,
        ceilingStep: UInt64 = 1 << 20, promisesMax: Int = 100_000
    ) {
        precondition(ceilingStep > 0 && promisesMax > 0, "a replica needs room for at least one promise")
        self.ceiling = ceiling
        self.hasVote = hasVote
        doubt = isDoubtful ? .unbounded : .none
        self.floor = floor
        self.ceilingStep = ceilingStep
        self.promisesMax = promisesMax
        ceilingRequested = ceiling
        counter = ceiling
        minimum = ceiling == 0 ? .zero : Ballot(counter: ceiling, writer: .max)
    }

    /// States that are not yet durable, over all keys.
    public var pendingCount: Int { tickets.count }
    /// Promises that are kept in memory.
    public var promiseCount: Int { promises.count }

    // MARK: - Requests

    /// Phase 1: promise to accept nothing below `ballot`.
    public mutating func stage(
        _ name: Name, ballot: Ballot, stored: DurableState<Record>
    ) -> StageDecision<Record> {
        guard ballot.counter <= Ballot.counterMax else {
            return decision(.refused(state: nil, promise: .init(counter: Ballot.counterMax, writer: .max)))
        }
        guard let (state, ticket) = seen(name, stored), hasVote else { return decision(.abstained) }
        let promise = promised(name, state)
        guard ballot > promise else {
            return decision(.refused(state: state, promise: promise), after: Durability(append: ticket))
        }
        remember(name, ballot)
        let raise = cover(ballot.counter)
        return decision(
            .promised(state: state), after: Durability(append: ticket, ceiling: unlessDurable(ballot.counter)),
            base: state == nil ? floor.base : 0, raise: raise)
    }

    /// Both phases at once, for a writer that needs no other replica: if nothing is here, the proposal is accepted as if its
    /// commit had followed the promise. Otherwise this is `stage` with the ballot of the proposal.
    public mutating func stage(
        _ name: Name, proposing proposal: State, stored: DurableState<Record>, hasBlobs: Bool = true
    ) -> StageDecision<Record> {
        let staged = stage(name, ballot: proposal.tag, stored: stored)
        guard staged.answer == .promised(state: nil), proposal.sequence > staged.base, hasBlobs else { return staged }
        let committed = commit(name, proposal, stored: stored)
        guard committed.answer == .accepted else { return staged }
        return decision(
            .accepted, after: committed.after, append: committed.append,
            raise: committed.raiseCeiling ?? staged.raiseCeiling)
    }

    /// Phase 2: accept `state` under its tag, unless something higher is promised or accepted.
    public mutating func commit(
        _ name: Name, _ state: State, stored: DurableState<Record>, hasBlobs: Bool = true
    ) -> CommitDecision<Record> {
        guard state.tag.counter <= Ballot.counterMax else {
            return decision(.refused(promise: .init(counter: Ballot.counterMax, writer: .max)))
        }
        let known = seen(name, stored)
        // Whatever the replica has forgotten of this key, it was below: accepting is no lie, and gives it back its vote.
        guard known != nil || bound(stored).map({ state.tag.counter > $0 }) == true else { return decision(.abstained) }
        let (held, ticket) = known ?? (nil, nil)
        if let held, held.tag == state.tag {
            return decision(
                hasVote ? .accepted : .abstained,
                after: Durability(append: ticket, ceiling: unlessDurable(state.tag.counter)))
        }
        let promise = promised(name, held)
        guard state.tag >= promise, state.tag > held?.tag ?? floor.ballot else {
            return decision(.refused(promise: promise), after: Durability(append: ticket))
        }
        guard hasBlobs else { return decision(.blobMissing) }
        return install(name, state, answering: hasVote ? .accepted : .abstained)
    }

    /// Installs a state that is known to be decided, whatever was promised: every ballot above its tag has seen it in
    /// its quorum of promises, or will.
    public mutating func learn(
        _ name: Name, _ state: State, stored: DurableState<Record>, hasBlobs: Bool = true
    ) -> LearnDecision<Record> {
        guard state.tag.counter <= Ballot.counterMax else { return decision(.known) }
        if let (held, ticket) = seen(name, stored) {
            if let held, held.tag >= state.tag { return decision(.known, after: Durability(append: ticket)) }
            if held == nil, state.tag <= floor.ballot {
                // The key may have been deleted after this state, and its tombstone purged.
                counter = max(counter, floor.ballot.counter)
                return decision(.tooOld, after: Durability(append: ticket))
            }
        } else {
            guard let bound = bound(stored) else { return decision(.abstained) }
            guard state.tag.counter > bound else {
                // The lost record may be a higher accepted one. Nothing above the bound can be.
                counter = max(counter, bound)
                return decision(.tooOld)
            }
        }
        guard hasBlobs else { return decision(.blobMissing) }
        return install(name, state, answering: .learned)
    }

    public mutating func read(_ name: Name, stored: DurableState<Record>) -> ReadDecision<Record> {
        guard let (state, ticket) = seen(name, stored), hasVote else { return decision(.abstained) }
        return decision(.state(state), after: Durability(append: ticket))
    }

    // MARK: - Purging

    /// Drops the tombstone with this tag, if it is still the durable state of the key. Whoever asks has proved, from what
    /// is durable there, that every replica of the key holds it, so that nothing older can come from anywhere but from
    /// messages under way: those meet the floor.
    public mutating func purge(
        _ name: Name, tag: Ballot, stored: DurableState<Record>
    ) -> PurgeDecision<Record> {
        guard let (state, pending) = seen(name, stored), hasVote else { return decision(.abstained) }
        guard pending == nil, let state, state.tag == tag, state.record?.isTombstone == true else {
            return decision(.kept)
        }
        floor = floor.joined(with: PurgeFloor(ballot: tag, sequence: state.sequence))
        let ticket = nextTicket(of: name, tag, nil)
        return decision(
            .purged, after: Durability(append: ticket), purge: ReplicaPurge(ticket: ticket, tag: tag, floor: floor))
    }

    /// Takes over what another replica of its keys has purged. The shell makes the new floor durable.
    public mutating func raiseFloor(to other: PurgeFloor) { floor = floor.joined(with: other) }

    // MARK: - Doubt

    /// From now on every key counts as promised up to `counter`, also after a restart: no commit below it that is still
    /// under way can succeed here. The answer waits for the ceiling, and for everything that was accepted before, so that
    /// who has it finds all of that in the index. Tickets must be reported as synced in their order.
    /// - Parameter isBound: nothing that this replica has forgotten has a higher counter.
    public mutating func fence(to counter: UInt64, isBound: Bool = false) -> FenceDecision<Record> {
        guard counter <= Ballot.counterMax else { return decision(.refused) }
        minimum = max(minimum, Ballot(counter: counter, writer: .max))
        promises.removeAll(upTo: minimum)
        if isBound {
            switch doubt {
            case .none: break
            case .unbounded: doubt = .bounded(counter)
            case .bounded(let old): doubt = .bounded(max(old, counter))
            }
        }
        let newest = tickets.keys.max().map { AppendTicket(number: $0) }
        let raise = cover(counter)
        return decision(
            .fenced, after: Durability(append: newest, ceiling: unlessDurable(counter)), raise: raise)
    }

    /// Records of unknown keys were lost, or keys were taken over from a disk that is gone.
    public mutating func distrust() { doubt = .unbounded }

    /// It has got everything that it may have forgotten.
    public mutating func trust() { doubt = .none }

    /// Every promise that was given, or is on its way, is at or below this counter.
    public var promisedMax: UInt64 { max(ceiling, ceilingRequested) }

    // MARK: - Events of the disk

    /// The append is durable and the index shows it: `stored` of later calls must be at least this state.
    public mutating func synced(_ ticket: AppendTicket) {
        guard let name = tickets.removeValue(forKey: ticket.number), var states = pending[name] else { return }
        states.removeAll { $0.ticket == ticket.number }
        pending[name] = states.isEmpty ? nil : states
    }

    /// The ceiling is durable at this counter.
    public mutating func ceilingRaised(to counter: UInt64) { ceiling = max(ceiling, counter) }

    // MARK: - Decisions

    /// The newest state of the key and, when it is not durable yet, its append. nil: unreadable.
    private func seen(_ name: Name, _ stored: DurableState<Record>) -> (State?, AppendTicket?)? {
        let newest = pending[name]?.max { ($0.tag, $0.ticket) < ($1.tag, $1.ticket) }
        switch stored {
        case .found(let state):
            // A tombstone that is purged has the tag of the stored one.
            guard let newest, newest.tag > state.tag || newest.tag == state.tag && newest.state == nil else {
                return (state, nil)
            }
            return (newest.state, AppendTicket(number: newest.ticket))
        case .absent: return (newest?.state, newest.map { AppendTicket(number: $0.ticket) })
        case .unreadable, .doubtful:
            // A pending state over a lost one is above all that was lost.
            return newest.flatMap { pending in pending.state.map { ($0, AppendTicket(number: pending.ticket)) } }
        }
    }

    /// No ballot that the replica has forgotten for this key has a higher counter. nil: nobody knows how high they were.
    private func bound(_ stored: DurableState<Record>) -> UInt64? {
        switch (stored, doubt) {
        case (.doubtful, .bounded(let counter)): counter
        case (.unreadable, .none), (.unreadable, .bounded): ceilingRequested
        default: nil
        }
    }

    /// The highest ballot that counts as promised: explicitly, by the minimum, by having accepted it, or because it may
    /// have been purged.
    private func promised(_ name: Name, _ state: State?) -> Ballot {
        max(promises[name] ?? .zero, minimum, state?.tag ?? floor.ballot)
    }

    private mutating func install<Answer>(
        _ name: Name, _ state: State, answering answer: Answer
    ) -> ReplicaDecision<Record, Answer> {
        if let promise = promises[name], promise <= state.tag { promises.remove(name) }
        let ticket = nextTicket(of: name, state.tag, state)
        let raise = cover(state.tag.counter)
        return decision(
            answer, after: Durability(append: ticket, ceiling: unlessDurable(state.tag.counter)),
            append: ReplicaAppend(ticket: ticket, state: state), raise: raise)
    }

    /// `state`: nil for a tombstone that is purged.
    private mutating func nextTicket(of name: Name, _ tag: Ballot, _ state: State?) -> AppendTicket {
        lastTicket += 1
        pending[name, default: []].append(Pending(ticket: lastTicket, tag: tag, state: state))
        tickets[lastTicket] = name
        return AppendTicket(number: lastTicket)
    }

    private mutating func remember(_ name: Name, _ ballot: Ballot) {
        promises.set(name, ballot)
        while promises.count > promisesMax, let oldest = promises.removeOldest() { minimum = max(minimum, oldest) }
    }

    /// Takes note of a counter, and says to which counter the ceiling is to be raised, if it is.
    private mutating func cover(_ used: UInt64) -> UInt64? {
        counter = max(counter, used)
        // Asked for half a step ahead, so that answers hardly ever wait for it.
        guard used > ceilingRequested || ceilingRequested - used < ceilingStep / 2 else { return nil }
        guard used > ceilingRequested || ceilingRequested == ceiling else { return nil }
        ceilingRequested = used.addingReportingOverflow(ceilingStep).partialValue
        return ceilingRequested
    }

    private func unlessDurable(_ used: UInt64) -> UInt64? { used > ceiling ? used : nil }

    private func decision<Answer>(
        _ answer: Answer, after: Durability = .nothing,
        append: ReplicaAppend<Record>? = nil, purge: ReplicaPurge? = nil, base: UInt64 = 0, raise: UInt64? = nil
    ) -> ReplicaDecision<Record, Answer> {
        ReplicaDecision(
            answer: answer, after: after, append: append, purge: purge, base: base, raiseCeiling: raise,
            counter: counter)
    }
}
