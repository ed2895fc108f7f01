import MessageBus
import Model
import Register
import Ring
import Synchronization
import Wire

/// One round of a listing: asks all nodes of the ring and waits until enough have answered.
final class ListGather: Sendable {
    private struct State {
        var answers: [ListAnswer] = []
        var waiting: Set<NodeName>
        /// Nobody waits for these any longer, when the others suffice.
        var slow: Set<NodeName>
        var failures = FailureTally()
        var continuation: UnsafeContinuation<Result<[ListAnswer], ListGatherFailure>, Never>?
    }

    private let environment: AccessEnvironment
    private let ring: RingTable
    private let level: ConsistencyLevel
    private let context: MessageContext
    private let state: Mutex<State>

    init(_ environment: AccessEnvironment, ring: RingTable, level: ConsistencyLevel, context: MessageContext) {
        self.environment = environment
        self.ring = ring
        self.level = level
        self.context = context
        let slow = Set(ring.nodes.filter(environment.health.isAway))
        state = Mutex(State(waiting: Set(ring.nodes), slow: slow))
    }

    func run(_ request: ListRequest) async -> Result<[ListAnswer], ListGatherFailure> {
        let body = request.encoded()
        return await withUnsafeContinuation { continuation in
            state.withLock { $0.continuation = continuation }
            for node in ring.nodes {
                environment.send(
                    .list, body: body, to: node, timeout: environment.options.chunkTimeout, context: context
                ) { self.answered(node, $0.decoded(as: ListReply.self)) }
            }
            // A page of a large index takes longer than one register.
            environment.timers.after(environment.options.slowAfter * 5) { [weak self] in self?.slow() }
        }
    }

    private func answered(_ node: NodeName, _ result: Result<ListReply, BusError>) {
        state.withLock { state in
            state.waiting.remove(node)
            switch result {
            case .success(let reply):
                let end = reply.truncated ? ListPosition(key: reply.end, isPrefix: reply.endIsPrefix) : nil
                state.answers.append(ListAnswer(node: node, entries: reply.entries, end: end))
            case .failure(let error): state.failures.add(error.status)
            }
        }
        evaluate()
    }

    private func slow() {
        let silent = state.withLock { state in
            state.slow.formUnion(state.waiting)
            return state.continuation == nil ? [] : state.waiting
        }
        for node in silent { environment.health.failed(node) }
        evaluate()
    }

    private func evaluate() {
        var outcome: Result<[ListAnswer], ListGatherFailure>?
        let continuation = state.withLock { state in
            guard state.continuation != nil, state.waiting.isSubset(of: state.slow) else {
                return nil as UnsafeContinuation<Result<[ListAnswer], ListGatherFailure>, Never>?
            }
            if state.answers.count == ring.nodes.count
                || ListJudge.covers(ring, level, answered: Set(state.answers.map(\.node)))
            {
                outcome = .success(state.answers)
            } else if state.waiting.isEmpty {
                outcome = .failure(ListGatherFailure(failures: state.failures))
            } else {
                return nil
            }
            defer { state.continuation = nil }
            return state.continuation
        }
        if let outcome { continuation?.resume(returning: outcome) }
    }
}

/// Some partition has too few answers.
struct ListGatherFailure: Error {
    var failures: FailureTally
}
