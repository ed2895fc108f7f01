import Model

/// What the shell has to do for a `QuorumRead`.
public enum QuorumReadDirective<Record: RegisterRecord>: Sendable, Equatable {
    /// Send READ to these nodes, the first with the wish for the data. Comes at the start and when more are needed.
    case ask([NodeName])
    /// This state is decided (nil: never written). `holders` have it and its blobs, and answered in this order of
    /// preference.
    case answer(RegisterState<Record>?, holders: [NodeName])
    /// The replicas differ: a write is half done. Run a `Proposer` whose change is `.keep`; its state is the answer.
    case finish
    /// Too few replicas can answer.
    case fail(missing: [NodeName])
}

/// One linearizable read of a register: a quorum of equal answers, or a round that makes them equal.
///
/// The preferred quorum is asked first, the rest when one of them fails, is slow (`onSlow`) or differs: a replica that
/// merely lags is outvoted by another that has the same state, and only a write that is really half done costs a round.
public struct QuorumRead<Record: RegisterRecord>: Sendable {
    public typealias Directive = QuorumReadDirective<Record>
    public typealias State = RegisterState<Record>

    public let rule: QuorumRule
    private var phase = Phase.ready
    private var asked = MemberSet()
    private var answered = MemberSet()
    private var lost = MemberSet()
    private var top = TopState<Record>()

    private enum Phase: Sendable {
        /// `start` → asking.
        case ready
        /// Requests are under way. Answers → finished; loss, slowness, difference → asking more.
        case asking
        /// Nothing leads out.
        case finished
    }

    public init(rule: QuorumRule) { self.rule = rule }

    public var isFinished: Bool { if case .finished = phase { true } else { false } }

    // MARK: - Events

    public mutating func start() -> [Directive] {
        guard case .ready = phase else { preconditionFailure("a read starts once") }
        phase = .asking
        return ask(rule.firstReaders)
    }

    public mutating func onAnswer(from node: NodeName, state: State?) -> [Directive] {
        guard case .asking = phase, let member = rule.index(of: node), answered.insert(member) else { return [] }
        lost.remove(member)
        top.add(state, of: member)
        return evaluate()
    }

    /// No answer will come: no connection, an error, or the replica abstains.
    public mutating func onUnreachable(_ node: NodeName) -> [Directive] {
        guard case .asking = phase, let member = rule.index(of: node), !answered.contains(member), lost.insert(member)
        else { return [] }
        guard rule.canStillRead(without: lost) else { return fail() }
        let more = askOthers()
        return more.isEmpty ? evaluate() : more
    }

    /// The first answers take longer than usual: ask the others too.
    public mutating func onSlow() -> [Directive] {
        guard case .asking = phase else { return [] }
        return askOthers()
    }

    /// The time for reading is over.
    public mutating func onTimeout() -> [Directive] {
        guard case .asking = phase else { return [] }
        guard rule.isReadQuorum(answered) else { return fail() }
        return end(.finish)
    }

    // MARK: - Decisions

    private mutating func evaluate() -> [Directive] {
        guard rule.isReadQuorum(answered) else { return [] }
        let holders = top.holders
        if rule.isReadQuorum(holders) { return end(.answer(top.state, holders: rule.names(holders))) }
        // They differ. Others may still show that the highest state is at a quorum.
        guard rule.canStillRead(without: answered.subtracting(holders).union(lost)) else { return end(.finish) }
        return askOthers()
    }

    private mutating func ask(_ members: MemberSet) -> [Directive] {
        asked = asked.union(members)
        return [.ask(rule.names(members))]
    }

    private mutating func askOthers() -> [Directive] {
        let others = rule.everybody.subtracting(asked)
        return others.isEmpty ? [] : ask(others)
    }

    private mutating func fail() -> [Directive] {
        end(.fail(missing: rule.names(rule.everybody.subtracting(answered))))
    }

    private mutating func end(_ directive: Directive) -> [Directive] {
        phase = .finished
        return [directive]
    }
}
