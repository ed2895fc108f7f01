import Model

/// The acceptor side of CASPaxos on one disk, for all its registers.
///
/// A pure value. The shell owns it under a lock (or on one thread), reads the key from its index in the same critical
/// section, calls the machine, leaves, and then does what the decision says. Three rules make it safe:
///
/// 1. **A promise is never forgotten**, although it is only in memory: no ballot above the durable *ceiling* is
///    promised, and after a restart every key counts as promised up to the ceiling.
/// 2. **Nothing is shown before it is durable**: a state is visible to later requests from the moment of its decision,
///    but every answer that depends on it names its append in `after`.
/// 3. **A replica without memory has no vote**: not for a record that it cannot read, and not at all while it is not
///    proved complete.
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
        var state: State
    }

    /// - Parameters:
    ///   - ceiling: the durable ceiling of this disk; 0 on a disk that has never answered anybody.
    ///   - ceilingStep: how far ahead the ceiling is raised.
    public init(ceiling: UInt64, hasVote: Bool = true, ceilingStep: UInt64 = 1 << 20, promisesMax: Int = 100_000) {
        precondition(ceilingStep > 0 && promisesMax > 0, "a replica needs room for at least one promise")
        self.ceiling = ceiling
        self.hasVote = hasVote
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
            raise: raise)
    }

    /// Phase 2: accept `state` under its tag, unless something higher is promised or accepted.
    public mutating func commit(
        _ name: Name, _ state: State, stored: DurableState<Record>, hasBlobs: Bool = true
    ) -> CommitDecision<Record> {
        guard state.tag.counter <= Ballot.counterMax else {
            return decision(.refused(promise: .init(counter: Ballot.counterMax, writer: .max)))
        }
        guard let (held, ticket) = seen(name, stored) else { return decision(.abstained) }
        if let held, held.tag == state.tag {
            return decision(
                hasVote ? .accepted : .abstained,
                after: Durability(append: ticket, ceiling: unlessDurable(state.tag.counter)))
        }
        let promise = promised(name, held)
        guard state.tag >= promise, state.tag > held?.tag ?? .zero else {
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
        } else if state.tag.counter <= ceilingRequested {
            // The lost record may be a higher accepted one. Nothing above the ceiling can be.
            counter = max(counter, ceilingRequested)
            return decision(.tooOld)
        }
        guard hasBlobs else { return decision(.blobMissing) }
        return install(name, state, answering: .learned)
    }

    public mutating func read(_ name: Name, stored: DurableState<Record>) -> ReadDecision<Record> {
        guard let (state, ticket) = seen(name, stored), hasVote else { return decision(.abstained) }
        return decision(.state(state), after: Durability(append: ticket))
    }

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
        let newest = pending[name]?.max { $0.state.tag < $1.state.tag }
        switch stored {
        case .found(let state):
            guard let newest, newest.state.tag > state.tag else { return (state, nil) }
            return (newest.state, AppendTicket(number: newest.ticket))
        case .absent: return (newest?.state, newest.map { AppendTicket(number: $0.ticket) })
        case .unreadable:
            // A pending state over an unreadable one came by `learn`, which has proved that it is newer.
            return newest.map { ($0.state, AppendTicket(number: $0.ticket)) }
        }
    }

    /// The highest ballot that counts as promised: explicitly, by the minimum, or by having accepted it.
    private func promised(_ name: Name, _ state: State?) -> Ballot {
        max(promises[name] ?? .zero, minimum, state?.tag ?? .zero)
    }

    private mutating func install<Answer>(
        _ name: Name, _ state: State, answering answer: Answer
    ) -> ReplicaDecision<Record, Answer> {
        if let promise = promises[name], promise <= state.tag { promises.remove(name) }
        lastTicket += 1
        let ticket = AppendTicket(number: lastTicket)
        pending[name, default: []].append(Pending(ticket: lastTicket, state: state))
        tickets[lastTicket] = name
        let raise = cover(state.tag.counter)
        return decision(
            answer, after: Durability(append: ticket, ceiling: unlessDurable(state.tag.counter)),
            append: ReplicaAppend(ticket: ticket, state: state), raise: raise)
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
        append: ReplicaAppend<Record>? = nil, raise: UInt64? = nil
    ) -> ReplicaDecision<Record, Answer> {
        ReplicaDecision(answer: answer, after: after, append: append, raiseCeiling: raise, counter: counter)
    }
}
