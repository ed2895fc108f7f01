import Model
import Register
import TestKit

/// One read of one client: the real `QuorumRead`, driven as a gateway does.
final class ReadRun {
    enum End {
        case answer(SimulatedState?)
        case finish
        case fail
    }

    private let client: ClientShell
    private let key: Int
    private var machine: QuorumRead<SimulatedRecord>
    private var end: ((End) -> Void)?
    /// For the planted mistake only.
    private var answers: [NodeName: SimulatedState?] = [:]

    init(client: ClientShell, key: Int, end: @escaping (End) -> Void) {
        self.client = client
        self.key = key
        self.end = end
        machine = QuorumRead(rule: client.simulation.rule)
    }

    func start() {
        client.simulation.scheduler.after(3_000) { self.act(self.machine.onSlow()) }
        client.simulation.scheduler.after(20_000) { self.act(self.machine.onTimeout()) }
        act(machine.start())
    }

    private func act(_ directives: [QuorumReadDirective<SimulatedRecord>]) {
        for directive in directives {
            switch directive {
            case .ask(let nodes): for node in nodes { ask(node) }
            case .answer(let state, _): finish(.answer(state))
            case .finish: finish(.finish)
            case .fail: finish(.fail)
            }
        }
    }

    private func finish(_ result: End) {
        let end = end
        self.end = nil
        end?(result)
    }

    private func ask(_ node: NodeName) {
        let sent = client.exchange(node, { $0.read(self.key, $1) }) { [self] decision in
            client.clock.observe(decision.counter)
            switch decision.answer {
            case .state(let state):
                answers[node] = .some(state)
                if client.simulation.has(.answerSplitRead), client.simulation.rule.isReadQuorum(Set(answers.keys)) {
                    finish(.answer(answers.values.compactMap { $0 }.max { $0.tag < $1.tag }))
                }
                act(machine.onAnswer(from: node, state: state))
            case .abstained: act(machine.onUnreachable(node))
            }
        }
        if !sent { act(machine.onUnreachable(node)) }
    }
}
