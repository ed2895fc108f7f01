import Dispatch
import Logging
import MessageBus
import Model
import Synchronization
import Wire

/// The cluster's state as this process knows it: pulled from whichever manager answers, kept in a file, and served
/// from memory.
///
/// A published STATE_CHANGED only wakes; a poll finds what a lost wake-up missed. Without a manager the last state
/// stays in force.
public final class ClusterStateMirror: ClusterViewing, PeerDirectory {
    public typealias ChangeHandler = @Sendable (ClusterView) -> Void

    static let pollInterval = Duration.seconds(2)
    static let fetchTimeout = Duration.seconds(2)

    struct State {
        var entries = ClusterEntries()
        var view = ClusterView.empty
        var handlers: [ChangeHandler] = []
        var waiters: [UInt64: RevisionWaiter] = [:]
        var nextWaiter: UInt64 = 0
        var bus: (any ClusterBus)?
        var announcement: EnrolRequest?
        var announcedTo: Set<NodeName> = []
        var subscriptions: [NodeName: SubscriptionToken] = [:]
        var preferred: NodeName?
        var pull: Task<Void, any Error>?
        var nextPull: Task<Void, any Error>?
        var follower: Task<Void, Never>?
        var isLost = false
    }

    struct RevisionWaiter {
        var revision: UInt64
        var continuation: CheckedContinuation<Void, any Error>
    }

    let state = Mutex(State())
    let bootstrap: [NodeName: PeerEndpoint]
    let addresses: [NodeName: String]
    let file: SnapshotFile
    let logger: Logger
    private let clock: any Clock<Duration>
    /// File writes block: they have a thread of their own.
    let files = DispatchQueue(label: "martlet.cluster-state")

    /// - Parameters:
    ///   - file: where the state is kept; a state that is there already is in force at once.
    ///   - bootstrap: the managers that are known without the state.
    ///   - addresses: of further managers, where the configuration knows better than the state.
    ///   - clock: counts the time between two looks.
    public init(
        file: String, bootstrap: [PeerEndpoint], addresses: [NodeName: String] = [:], logger: Logger,
        clock: any Clock<Duration> = ContinuousClock()
    ) {
        self.addresses = addresses
        self.clock = clock
        self.file = SnapshotFile(path: file)
        self.bootstrap = Dictionary(bootstrap.map { ($0.name, $0) }) { first, _ in first }
        self.logger = logger
        loadSnapshot()
    }

    private func loadSnapshot() {
        do {
            guard let snapshot = try file.load() else { return }
            let entries = ClusterEntries(snapshot)
            state.withLock {
                $0.entries = entries
                $0.view = ClusterView(revision: entries.revision, entries: snapshot.entries)
            }
        } catch {
            logger.error("the kept cluster state is unreadable, starting without", metadata: ["error": "\(error)"])
        }
    }

    public var view: ClusterView { state.withLock { $0.view } }

    /// The last look found a manager that answered.
    public var isFollowing: Bool { !state.withLock { $0.isLost } }

    /// Calls the handler after every change, from any thread. Must not block.
    public func onChange(_ handler: @escaping ChangeHandler) {
        state.withLock { $0.handlers.append(handler) }
    }

    /// Begins to follow the managers.
    ///
    /// - Parameter announcement: this process as it is reachable now (it was enrolled before): sent once to each
    ///   manager that answers, so that addresses may change between two starts.
    public func start(bus: any ClusterBus, announcing announcement: EnrolRequest? = nil) {
        // The bus first: the follower's first pull needs it.
        state.withLock {
            $0.bus = bus
            $0.announcement = announcement
        }
        let follower = Task { [weak self, clock] in
            var isLost = false
            while !Task.isCancelled {
                isLost = await self?.poll(wasLost: isLost) ?? false
                try? await clock.sleep(for: Self.pollInterval)
            }
        }
        state.withLock { $0.follower = follower }
        updateSubscriptions()
    }

    /// Says once when the managers are lost, and once when one is back.
    private func poll(wasLost: Bool) async -> Bool {
        do {
            try await refresh()
            state.withLock { $0.isLost = false }
            if wasLost { logger.notice("a manager answers again") }
            return false
        } catch {
            state.withLock { $0.isLost = true }
            guard !wasLost, !Task.isCancelled else { return wasLost }
            logger.warning(
                "no manager answers: the last known state stays in force",
                metadata: ["revision": "\(view.revision)", "error": "\(error)"])
            return true
        }
    }

    /// Stops following. The view stays as it is.
    public func stop() {
        let (bus, tokens, waiters) = state.withLock { state in
            state.follower?.cancel()
            state.follower = nil
            defer {
                state.bus = nil
                state.subscriptions = [:]
                state.waiters = [:]
            }
            return (state.bus, Array(state.subscriptions.values), Array(state.waiters.values))
        }
        for token in tokens { bus?.unsubscribe(token) }
        for waiter in waiters { waiter.continuation.resume(throwing: CancellationError()) }
    }
}

/// What the mirror needs of the bus.
public protocol ClusterBus: RequestSending {
    func subscribe(
        to peer: NodeName, _ types: [MessageType], onMessage: @escaping @Sendable (Publication) -> Void
    ) -> SubscriptionToken
    func unsubscribe(_ token: SubscriptionToken)
}

extension MessageBus: ClusterBus {}
