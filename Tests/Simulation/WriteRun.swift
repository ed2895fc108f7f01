import Model
import Register
import TestKit

/// One operation of one client that changes, or only settles, a register: the real `Proposer`, driven as a gateway does.
final class WriteRun {
    typealias Directive = ProposerDirective<SimulatedRecord>

    enum End {
        case success(ProposerSuccess<SimulatedRecord>)
        case failure(ProposerFailure)
    }

    private let client: ClientShell
    private let key: Int
    private let blob: Int?
    private let rule: QuorumRule
    private let change: (SimulatedState?) -> RegisterChange<SimulatedRecord>
    private var proposer: Proposer<SimulatedRecord>
    private var ballot = Ballot.zero
    private var end: ((End) -> Void)?

    init(
        client: ClientShell, key: Int, blob: Int?, rule: QuorumRule? = nil,
        change: @escaping (SimulatedState?) -> RegisterChange<SimulatedRecord>,
        end: @escaping (End) -> Void
    ) {
        self.client = client
        self.key = key
        self.blob = blob
        self.change = change
        self.end = end
        self.rule = rule ?? client.simulation.rule
        proposer = Self.proposer(client, self.rule)
    }

    private static func proposer(_ client: ClientShell, _ rule: QuorumRule) -> Proposer<SimulatedRecord> {
        Proposer(
            operation: .random(using: &client.simulation.random), writer: client.writer, rule: rule, attemptsMax: 6)
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
        if case .write(let record) = change(nil) { opening = record }
        act(proposer.begin(counter: client.clock.next(), opening: opening, base: client.clock.base))
    }

    private func act(_ directives: [Directive]) { for directive in directives { act(directive) } }

    private func act(_ directive: Directive) {
        switch directive {
        case .stage(let ballot, let nodes, let attempt): stage(ballot, nodes, blob: attempt == 1 ? blob : nil)
        case .propose(let state, let node): propose(state, node)
        case .decide(let current): decide(current)
        case .commit(let state, let nodes): commit(state, nodes)
        case .commitWithBlobs(let state, let node, _): commit(state, node, withBlob: true)
        case .succeed(let success):
            let ballot = ballot
            finish(.success(success))
            client.simulation.scheduler.after(30_000) { self.act(self.proposer.onTimeout(ballot: ballot)) }
        case .fail(let failure): finish(.failure(failure))
        case .backOff(let attempt): backOff(attempt)
        case .renew: preconditionFailure("the ring does not change in this simulation")
        case .hint(let state, let missed, _): for node in missed { client.deliverHint(key, state, to: node) }
        }
    }

    private func finish(_ result: End) {
        let end = end
        self.end = nil
        end?(result)
    }

    private func decide(_ current: SimulatedState?) {
        let change = change(current)
        if client.simulation.has(.refuseFromUndecided), change == .refuse {
            abandonWith(.success(.init(kind: .refused, state: current, previous: current, holders: [])))
            return
        }
        act(proposer.decided(change))
    }

    private func abandonWith(_ result: End) {
        _ = proposer.onDeadline()
        finish(result)
    }

    private func backOff(_ attempt: Int) {
        if client.simulation.has(.repeatAttempt) { proposer = Self.proposer(client, rule) }
        let delay = 1000 * BackOff.milliseconds(afterAttempt: attempt, using: &client.simulation.random)
        client.simulation.scheduler.after(delay) { self.begin() }
    }

    // MARK: - Messages

    private func expect(_ ballot: Ballot) {
        self.ballot = ballot
        client.simulation.scheduler.after(client.simulation.patience) {
            self.act(self.proposer.onTimeout(ballot: ballot))
        }
    }

    private func propose(_ state: SimulatedState, _ node: NodeName) {
        let ballot = state.tag
        expect(ballot)
        let sent = client.exchange(
            node, atMostOnce: true, { $0.propose(self.key, state, blob: self.blob, $1) }
        ) { [self] decision in
            client.clock.observe(decision.counter)
            client.clock.observe(base: decision.base)
            act(staged(node, ballot, decision))
        }
        if !sent { act(proposer.onLost(node, ballot: ballot, request: .stage, untouched: true)) }
        guard client.simulation.has(.forgetProposal) else { return }
        client.simulation.scheduler.after(client.simulation.patience - 1) {
            self.act(self.proposer.onLost(node, ballot: ballot, request: .stage, untouched: true))
        }
    }

    private func stage(_ ballot: Ballot, _ nodes: [NodeName], blob: Int?) {
        expect(ballot)
        for node in nodes {
            let sent = client.exchange(node, { $0.stage(self.key, ballot, blob: blob, $1) }) { [self] decision in
                client.clock.observe(decision.counter)
                client.clock.observe(base: decision.base)
                act(staged(node, ballot, decision))
            }
            if !sent { act(proposer.onLost(node, ballot: ballot, request: .stage)) }
        }
    }

    private func staged(
        _ node: NodeName, _ ballot: Ballot, _ decision: StageDecision<SimulatedRecord>
    ) -> [Directive] {
        switch decision.answer {
        case .promised(let state):
            proposer.onPromise(
                from: node, ballot: ballot, state: state, counter: decision.counter,
                base: client.simulation.has(.restartChain) ? 0 : decision.base)
        case .accepted: proposer.onProposalAccepted(from: node, ballot: ballot, counter: decision.counter)
        case .refused(_, let promise):
            proposer.onStageRefused(from: node, ballot: ballot, promise: promise, counter: decision.counter)
        case .abstained: proposer.onLost(node, ballot: ballot, request: .stage, untouched: true)
        }
    }

    /// Now and then one replica gets it long before the others.
    private func commit(_ state: SimulatedState, _ nodes: [NodeName]) {
        let simulation = client.simulation
        let isScattered = client.isGateway && simulation.scattersCommits && simulation.random.chance(0.3)
        let first = isScattered ? simulation.random.pick(nodes) : nil
        for node in nodes {
            guard isScattered, node != first else {
                commit(state, node, withBlob: false)
                continue
            }
            simulation.scheduler.after(simulation.random.number(0..<simulation.patience)) {
                self.commit(state, node, withBlob: false)
            }
        }
    }

    private func commit(_ state: SimulatedState, _ node: NodeName, withBlob: Bool) {
        let ballot = state.tag
        let sent = client.exchange(node, { $0.commit(self.key, state, withBlob: withBlob, $1) }) { [self] decision in
            client.clock.observe(decision.counter)
            switch decision.answer {
            case .accepted: act(proposer.onAccepted(from: node, ballot: ballot, counter: decision.counter))
            case .refused(let promise):
                act(proposer.onCommitRefused(from: node, ballot: ballot, promise: promise, counter: decision.counter))
            case .blobMissing: act(proposer.onBlobMissing(from: node, ballot: ballot, counter: decision.counter))
            case .abstained: act(proposer.onLost(node, ballot: ballot, request: .commit))
            }
        }
        if !sent { act(proposer.onLost(node, ballot: ballot, request: .commit)) }
    }
}
