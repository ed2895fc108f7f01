import ClusterStore
import Logging
import Model
import Synchronization

/// Which manager does what only one may do: carries out plans, judges members, tidies up.
///
/// A lease in the store. All managers answer reads and verbs, whoever leads.
final class Leadership: Sendable {
    static let leaseSeconds = 5
    static let interval = Duration.seconds(1)

    private struct State {
        var lease: LeaseID?
        /// This manager leads until then at least: counted from before the store was asked, so it ends here first.
        var until: ContinuousClock.Instant?
        var told = false
        var keeper: Task<Void, Never>?
    }

    private let store: any ClusterStore
    private let name: NodeName
    private let logger: Logger
    private let state = Mutex(State())

    init(_ store: any ClusterStore, name: NodeName, logger: Logger) {
        self.store = store
        self.name = name
        self.logger = logger
    }

    /// True on one manager at a time.
    var isLeader: Bool { state.withLock { $0.until.map { $0 > .now } ?? false } }

    /// Makes an edit depend on this manager still being the leader when it is committed.
    func require(_ edit: inout StateEdit) throws(VerbError) {
        guard isLeader, edit.value(of: ManagerKeys.leader) == Array(name.rawValue.utf8) else {
            throw VerbError(.unavailable, "\(name) does not lead the managers")
        }
        edit.expectUnchanged(ManagerKeys.leader)
    }

    func start() async {
        await step()
        let keeper = Task { [weak self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: Self.interval)
                await self?.step()
            }
        }
        state.withLock { $0.keeper = keeper }
    }

    /// Gives the lease back, so that another manager leads at once.
    func stop() async {
        let lease = state.withLock { state in
            state.keeper?.cancel()
            defer { (state.lease, state.until) = (nil, nil) }
            return state.lease
        }
        if let lease { try? await store.revokeLease(lease) }
    }

    /// Renews the lease, or tries to get one.
    func step() async {
        let began = ContinuousClock.now
        do throws(StoreError) {
            if let lease = state.withLock({ $0.lease }) {
                try await store.renewLease(lease)
                held(lease, since: began)
            } else {
                try await contend()
            }
        } catch .unknownLease {
            state.withLock { ($0.lease, $0.until) = (nil, nil) }
        } catch {
            logger.debug("the lease of leadership is not renewed", metadata: ["error": "\(error)"])
        }
        tell()
    }

    private func contend() async throws(StoreError) {
        let present = try await store.get(ManagerKeys.leader)
        // An entry with this manager's name is from its life before: nobody else has its name.
        guard present == nil || present?.value == Array(name.rawValue.utf8) else { return }
        let began = ContinuousClock.now
        let lease = try await store.grantLease(seconds: Self.leaseSeconds)
        let condition: StoreTransaction.Condition =
            present.map { .revision(key: ManagerKeys.leader, is: $0.revision) } ?? .absent(key: ManagerKeys.leader)
        let claim = StoreTransaction(
            when: [condition], [.put(key: ManagerKeys.leader, value: Array(name.rawValue.utf8), lease: lease)])
        guard case .committed = try await store.commit(claim) else { return try await store.revokeLease(lease) }
        held(lease, since: began)
    }

    private func held(_ lease: LeaseID, since began: ContinuousClock.Instant) {
        state.withLock { state in
            // The store was asked when the manager already stopped.
            guard state.keeper?.isCancelled != true else { return }
            state.lease = lease
            state.until = began + .seconds(Self.leaseSeconds)
        }
    }

    private func tell() {
        let leads = isLeader
        let changed = state.withLock { state in
            defer { state.told = leads }
            return state.told != leads
        }
        if changed { logger.notice(leads ? "this manager leads" : "this manager does not lead any more") }
    }
}
