import ClusterState
import ClusterStore
import Logging
import MessageBus
import Model
import Synchronization

/// The manager's own view of its store: follows it, and changes it, one edit at a time.
final class ManagedCluster: ClusterViewing, PeerDirectory {
    typealias ChangeHandler = @Sendable (ManagerState) -> Void

    private struct Shared {
        var state: ManagerState
        var handlers: [ChangeHandler] = []
        var follower: Task<Void, Never>?
    }

    let store: any ClusterStore
    private let logger: Logger
    private let shared: Mutex<Shared>
    private let gate = SerialGate()

    static let attemptsMax = 16
    static let catchUpTimeout = Duration.milliseconds(500)

    private init(store: any ClusterStore, state: ManagerState, logger: Logger) {
        self.store = store
        self.logger = logger
        shared = Mutex(Shared(state: state))
    }

    /// Reads the whole state.
    static func load(_ store: any ClusterStore, logger: Logger) async throws -> ManagedCluster {
        let snapshot = try await store.range(.all)
        return ManagedCluster(store: store, state: ManagerState(snapshot), logger: logger)
    }

    var state: ManagerState { shared.withLock { $0.state } }
    var view: ClusterView { state.view }

    func endpoint(of name: NodeName) -> PeerEndpoint? { view.members[name].map { PeerEndpoint($0) } }

    func peer(publicKey: [UInt8]) -> PeerEndpoint? { view.member(publicKey: publicKey).map { PeerEndpoint($0) } }

    /// Calls the handler after every change, from any thread. Must not block.
    func onChange(_ handler: @escaping ChangeHandler) { shared.withLock { $0.handlers.append(handler) } }

    /// Follows changes that others make in the store: with several managers, and when leases end.
    func follow() {
        let follower = Task { [weak self] in
            while !Task.isCancelled {
                guard let (store, revision) = self.map({ ($0.store, $0.state.revision) }) else { return }
                do {
                    for try await batch in store.watch(.all, after: revision) {
                        guard let self else { return }
                        install(batch)
                    }
                    return
                } catch StoreError.compacted {
                    try? await self?.reload()
                } catch {
                    self?.logger.error("the store's changes cannot be followed", metadata: ["error": "\(error)"])
                    try? await Task.sleep(for: .seconds(1))
                    try? await self?.reload()
                }
            }
        }
        shared.withLock { $0.follower = follower }
    }

    func stop() { shared.withLock { $0.follower?.cancel() } }

    /// Computes an edit from the present state and commits it; again when somebody was faster.
    ///
    /// The state shows the edit when this returns.
    func change<Answer: Sendable>(
        _ body: @Sendable (ManagerState, inout StateEdit) throws -> Answer
    ) async throws -> Answer {
        try await gate.run {
            for _ in 0..<Self.attemptsMax {
                let state = self.state
                var edit = StateEdit(state)
                let answer = try body(state, &edit)
                if edit.isEmpty { return answer }
                switch try await self.store.commit(edit.counted) {
                case .committed(let revision):
                    // It is done: if it cannot be read back now, the follower comes to it.
                    try? await self.catchUp(to: revision)
                    return answer
                case .conflict: try await self.catchUp(to: state.revision + 1)
                }
            }
            throw VerbError(.conflict, "the cluster's state changes too fast, try again")
        }
    }

    /// Returns when the state shows every edit that was committed before the call.
    func refresh() async throws {
        // Every edit changes the counter. The store's own revision would not do: others may use the same etcd.
        guard let edited = try await store.get(ManagerKeys.edits)?.revision, state.revision < edited else { return }
        try await catchUp(to: edited)
    }

    /// Reads changes up to a revision at least; everything, when they do not come in time.
    private func catchUp(to target: UInt64) async throws {
        let reading = Task {
            var changes = self.store.watch(.all, after: self.state.revision).makeAsyncIterator()
            while self.state.revision < target, let batch = try await changes.next() { self.install(batch) }
        }
        let limit = Task {
            try await Task.sleep(for: Self.catchUpTimeout)
            reading.cancel()
        }
        defer { limit.cancel() }
        do { try await reading.value } catch StoreError.compacted {}
        if state.revision < target { try await reload() }
    }

    private func reload() async throws {
        let snapshot = try await store.range(.all)
        publish { if $0.revision < snapshot.revision { $0 = ManagerState(snapshot) } }
    }

    private func install(_ batch: [StoreChange]) {
        guard let last = batch.last else { return }
        publish { $0.apply(batch, upTo: last.revision) }
    }

    private func publish(_ body: (inout ManagerState) -> Void) {
        let news: (ManagerState, [ChangeHandler])? = shared.withLock { shared in
            let before = shared.state.revision
            body(&shared.state)
            return shared.state.revision > before ? (shared.state, shared.handlers) : nil
        }
        guard let (state, handlers) = news else { return }
        for handler in handlers { handler(state) }
    }
}
