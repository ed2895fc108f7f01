import MessageBus
import Model
import NIOCore
import Synchronization
import Wire

/// Gets what any of several replicas can give: asks one, and the next when it fails or is slow; the first right answer counts.
final class HedgedFetch<Value: Sendable>: Sendable {
    typealias Completion = @Sendable (Result<Value, AccessError>) -> Void
    /// What is found in an answer; nil: the replica does not have it.
    typealias Found = Result<Value?, BusError>
    /// Calls back once, now or later.
    typealias Check = @Sendable (BusReply, @escaping @Sendable (Found) -> Void) -> Void

    struct Request: Sendable {
        var type: MessageType
        var body: @Sendable (NodeName) -> [UInt8]
        var timeout: Duration
        /// After this time without an answer a replica counts as one that has failed.
        var patience: Duration
        var context: MessageContext
    }

    private struct State {
        var untried: ArraySlice<NodeName>
        var waiting: Set<NodeName> = []
        var failures = FailureTally()
        var completion: Completion?
    }

    private let environment: AccessEnvironment
    private let hedging: Hedging
    private let request: Request
    private let check: Check
    private let state: Mutex<State>

    /// - Parameter completion: called once, on a bus thread or that of a timer; the error is ``AccessError/absent`` when every
    ///   replica says that it has no such thing.
    init(
        _ environment: AccessEnvironment, _ hedging: Hedging, _ request: Request, from nodes: [NodeName],
        check: @escaping Check, completion: @escaping Completion
    ) {
        self.environment = environment
        self.hedging = hedging
        self.request = request
        self.check = check
        state = Mutex(State(untried: environment.health.ordered(nodes)[...], completion: completion))
    }

    func run() { askNext(after: hedging.begin()) }

    /// Asks the next replica; fails when there is none and no answer is under way.
    /// - Parameter delay: how long it has to answer before another one may be asked too.
    private func askNext(after delay: Duration) {
        var failed: Completion?
        var error = AccessError.absent
        let node: NodeName? = state.withLock { state in
            guard state.completion != nil else { return nil }
            guard let node = state.untried.popFirst() else {
                guard state.waiting.isEmpty else { return nil }
                if !state.failures.isEmpty { error = state.failures.error }
                failed = state.completion
                state.completion = nil
                return nil
            }
            state.waiting.insert(node)
            return node
        }
        failed?(.failure(error))
        if let node { ask(node, delay) }
    }

    private func ask(_ node: NodeName, _ delay: Duration) {
        let start = ContinuousClock.now
        environment.send(
            request.type, body: request.body(node), to: node, timeout: request.timeout, context: request.context
        ) { result in
            switch result {
            case .success(let reply):
                self.check(reply) { found in
                    if case .success = found { self.hedging.answered(since: start) }
                    self.answered(by: node, found)
                }
            case .failure(let error): self.answered(by: node, .failure(error))
            }
        }
        environment.timers.after(delay) { [weak self] in self?.waited(for: node, delay) }
    }

    // MARK: - Events

    private func waited(for node: NodeName, _ delay: Duration) {
        guard isWaiting(for: node) else { return }
        environment.health.silent(node)
        if hedging.mayHedge(isFree: isFree(node)) { askNext(after: request.patience) }
        environment.timers.after(hedging.patience(request.patience, delay) - delay) { [weak self] in self?.slow(node) }
    }

    /// Whether asking the next one adds no work: who is silent answers nobody, and the next one is not silent too.
    private func isFree(_ node: NodeName) -> Bool {
        guard environment.health.isSuspect(node), let next = state.withLock({ $0.untried.first }) else { return false }
        return !environment.health.isSuspect(next)
    }

    private func slow(_ node: NodeName) {
        guard isWaiting(for: node) else { return }
        environment.health.failed(node)
        askNext(after: request.patience)
    }

    private func isWaiting(for node: NodeName) -> Bool {
        state.withLock { $0.completion != nil && $0.waiting.contains(node) }
    }

    private func answered(by node: NodeName, _ found: Found) {
        let completion = state.withLock { state in
            state.waiting.remove(node)
            switch found {
            case .success(.some):
                defer { state.completion = nil }
                return state.completion
            case .success(.none): break
            case .failure(let error): if error.status != .notFound { state.failures.add(error.status) }
            }
            return nil
        }
        if case .success(let value?) = found { completion?(.success(value)) } else { askNext(after: request.patience) }
    }
}
