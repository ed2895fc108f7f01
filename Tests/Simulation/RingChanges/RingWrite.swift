import Model
import Register
import Ring
import TestKit

/// One operation that changes, or only settles, a register while the ring changes: the real `Proposer`.
final class RingWrite {
    enum End {
        case success(ProposerSuccess<SimulatedRecord>)
        case failure(ProposerFailure)
    }

    private let client: RingClient
    private let key: Int
    /// The writer dies when its commit has gone to this node alone.
    private let onlyTo: NodeName?
    private let change: (SimulatedState?) -> RegisterChange<SimulatedRecord>
    private var proposer: Proposer<SimulatedRecord>
    /// Of the ring by which the present attempt goes.
    private var epoch: UInt64
    private var ballot = Ballot.zero
    private var end: ((End) -> Void)?

    init(
        client: RingClient, key: Int, onlyTo: NodeName? = nil,
        change: @escaping (SimulatedState?) -> RegisterChange<SimulatedRecord>,
        end: @escaping (End) -> Void
    ) {
        self.client = client
        self.key = key
        self.onlyTo = onlyTo
        self.change = change
        self.end = end
        epoch = client.table.epoch
        proposer = Proposer(
            operation: .random(using: &client.simulation.random), writer: client.writer,
            rule: client.simulation.rule(client.table), attemptsMax: 8)
    }

    func start() { begin() }

    /// The client's process dies: nothing is sent or taken any more.
    func abandon() {
        _ = proposer.onDeadline()
        end = nil
    }

    private func begin() {
        guard end != nil else { return }
        var opening: SimulatedRecord?
        if onlyTo == nil, case .write(let record) = change(nil) { opening = record }
        act(proposer.begin(counter: client.clock.next(), opening: opening, base: client.clock.base))
    }

    private func act(_ directives: [ProposerDirective<SimulatedRecord>]) {
        for directive in directives { act(directive) }
    }

    private func act(_ directive: ProposerDirective<SimulatedRecord>) {
        switch directive {
        case .stage(let ballot, let nodes, _): stage(ballot, nodes)
        case .propose(let state, let node): propose(state, node)
        case .decide(let current): act(proposer.decided(change(current)))
        case .commit(let state, let nodes):
            for node in nodes where onlyTo.map({ $0 == node }) ?? true { commit(state, node) }
            if onlyTo != nil { abandon() }
        case .commitWithBlobs(let state, let node, _): commit(state, node)
        case .succeed(let success):
            let ballot = ballot
            finish(.success(success))
            client.simulation.scheduler.after(30_000) { self.act(self.proposer.onTimeout(ballot: ballot)) }
        case .fail(let failure): finish(.failure(failure))
        case .backOff(let attempt):
            let delay = 1000 * BackOff.milliseconds(afterAttempt: attempt, using: &client.simulation.random)
            client.simulation.scheduler.after(delay) { self.begin() }
        case .renew: client.refresh { self.renew() }
        case .hint(let state, let missed, _): for node in missed { deliver(state, to: node) }
        }
    }

    private func renew() {
        guard end != nil else { return }
        epoch = client.table.epoch
        proposer.renew(client.simulation.rule(client.table))
        begin()
    }

    private func finish(_ result: End) {
        let end = end
        self.end = nil
        end?(result)
    }

    /// What the replicator does with a hint, some time later.
    private func deliver(_ state: SimulatedState, to node: NodeName) {
        client.simulation.scheduler.after(client.simulation.random.number(0..<100_000)) { [client, key] in
            _ = client.exchange(node, { $0.learn(key, state, $1) }) { (_: LearnAnswer) in }
        }
    }

    // MARK: - Messages

    private func expect(_ ballot: Ballot) {
        self.ballot = ballot
        client.simulation.scheduler.after(20_000) { self.act(self.proposer.onTimeout(ballot: ballot)) }
    }

    private func propose(_ state: SimulatedState, _ node: NodeName) {
        let (ballot, epoch) = (state.tag, epoch)
        expect(ballot)
        let sent = client.exchange(node, atMostOnce: true, { $0.propose(epoch, self.key, state, $1) }) {
            [self] answer in
            act(staged(node, ballot, answer))
        }
        if !sent { act(proposer.onLost(node, ballot: ballot, request: .stage, untouched: true)) }
    }

    private func stage(_ ballot: Ballot, _ nodes: [NodeName]) {
        expect(ballot)
        let epoch = epoch
        for node in nodes {
            let sent = client.exchange(node, { $0.stage(epoch, self.key, ballot, $1) }) { [self] answer in
                act(staged(node, ballot, answer))
            }
            if !sent { act(proposer.onLost(node, ballot: ballot, request: .stage)) }
        }
    }

    private func staged(
        _ node: NodeName, _ ballot: Ballot, _ answer: RingAnswer<StageDecision<SimulatedRecord>>
    ) -> [ProposerDirective<SimulatedRecord>] {
        guard case .value(let decision) = answer else {
            return proposer.onOutdated(node, ballot: ballot, request: .stage)
        }
        client.clock.observe(decision.counter)
        client.clock.observe(base: decision.base)
        return switch decision.answer {
        case .promised(let state):
            proposer.onPromise(
                from: node, ballot: ballot, state: state, counter: decision.counter, base: decision.base)
        case .accepted: proposer.onProposalAccepted(from: node, ballot: ballot, counter: decision.counter)
        case .refused(_, let promise):
            proposer.onStageRefused(from: node, ballot: ballot, promise: promise, counter: decision.counter)
        case .abstained: proposer.onLost(node, ballot: ballot, request: .stage)
        }
    }

    private func commit(_ state: SimulatedState, _ node: NodeName) {
        let (ballot, epoch) = (state.tag, epoch)
        let sent = client.exchange(node, { $0.commit(epoch, self.key, state, $1) }) { [self] answer in
            act(committed(node, ballot, answer))
        }
        if !sent { act(proposer.onLost(node, ballot: ballot, request: .commit)) }
    }

    private func committed(
        _ node: NodeName, _ ballot: Ballot, _ answer: RingAnswer<CommitDecision<SimulatedRecord>>
    ) -> [ProposerDirective<SimulatedRecord>] {
        guard case .value(let decision) = answer else {
            return proposer.onOutdated(node, ballot: ballot, request: .commit)
        }
        client.clock.observe(decision.counter)
        return switch decision.answer {
        case .accepted: proposer.onAccepted(from: node, ballot: ballot, counter: decision.counter)
        case .refused(let promise):
            proposer.onCommitRefused(from: node, ballot: ballot, promise: promise, counter: decision.counter)
        case .blobMissing, .abstained: proposer.onLost(node, ballot: ballot, request: .commit)
        }
    }
}

/// One read while the ring changes: the real `QuorumRead`, made anew when replicas work by a newer ring.
final class RingRead {
    enum End {
        case answer(SimulatedState?)
        case finish
        case fail
    }

    private let client: RingClient
    private let key: Int
    private var epoch: UInt64 = 0
    private var machine: QuorumRead<SimulatedRecord>
    private var end: ((End) -> Void)?
    private var isOutdated = false
    private var ringsLeft = 8
    /// Answers to an earlier machine count for nothing.
    private var turn = 0

    init(client: RingClient, key: Int, end: @escaping (End) -> Void) {
        self.client = client
        self.key = key
        self.end = end
        machine = QuorumRead(rule: client.simulation.readRule(client.table))
    }

    func start() {
        turn += 1
        let turn = turn
        epoch = client.table.epoch
        machine = QuorumRead(rule: client.simulation.readRule(client.table))
        client.simulation.scheduler.after(3_000) { self.act(turn) { self.machine.onSlow() } }
        client.simulation.scheduler.after(20_000) { self.act(turn) { self.machine.onTimeout() } }
        act(turn) { machine.start() }
    }

    private func act(_ turn: Int, _ event: () -> [QuorumReadDirective<SimulatedRecord>]) {
        guard turn == self.turn else { return }
        for directive in event() {
            switch directive {
            case .ask(let nodes): for node in nodes { ask(node, turn) }
            case .answer(let state, _): finish(.answer(state))
            case .finish: finish(.finish)
            case .fail: fail()
            }
        }
    }

    private func fail() {
        guard isOutdated, ringsLeft > 0 else { return finish(.fail) }
        ringsLeft -= 1
        isOutdated = false
        client.refresh { self.start() }
    }

    private func finish(_ result: End) {
        let end = end
        self.end = nil
        end?(result)
    }

    private func ask(_ node: NodeName, _ turn: Int) {
        let epoch = epoch
        let sent = client.exchange(node, { $0.read(epoch, self.key, $1) }) { [self] answer in
            guard turn == self.turn else { return }
            guard case .value(let decision) = answer else {
                isOutdated = true
                return act(turn) { machine.onUnreachable(node) }
            }
            client.clock.observe(decision.counter)
            switch decision.answer {
            case .state(let state): act(turn) { machine.onAnswer(from: node, state: state) }
            case .abstained: act(turn) { machine.onUnreachable(node) }
            }
        }
        if !sent { act(turn) { machine.onUnreachable(node) } }
    }
}
