import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Observability
import Synchronization
import Wire

/// Follows all storage nodes of the cluster, one task each; nodes that join or leave are noticed with every poll.
final class Replication: Sendable {
    struct Settings: Sendable {
        var pollInterval: Duration
        var follower: HintFollower.Settings
    }

    private struct Following {
        var follower: HintFollower
        var bell: Bell
        var task: Task<Void, Never>
    }

    private let bus: any RequestSending
    private let cluster: any ClusterViewing
    private let delivery: HintDelivery
    private let suspended: SuspendedQueues
    private let settings: Settings
    private let metrics: ReplicatorMetrics
    private let logger: Logger
    private let following = Mutex<[NodeName: Following]>([:])
    private let poller = Mutex<Task<Void, Never>?>(nil)

    init(
        registers: RegisterClient, bus: any RequestSending, cluster: any ClusterViewing, suspended: SuspendedQueues,
        settings: Settings, logger: Logger, metrics: MetricsRegistry
    ) {
        self.bus = bus
        self.cluster = cluster
        self.suspended = suspended
        self.settings = settings
        self.logger = logger
        delivery = HintDelivery(healing: ReplicaHealing(registers))
        self.metrics = ReplicatorMetrics(metrics)
        metrics.gauge("martlet_replication_queue_length", help: "Hints that wait for delivery") { [weak self] in
            Double(self?.statuses.values.reduce(0) { $0 + $1.queued } ?? 0)
        }
        metrics.gauge("martlet_replication_lag_seconds", help: "Age of the oldest hint") { [weak self] in
            self?.lagSeconds ?? 0
        }
    }

    /// By the node that keeps the hints.
    var statuses: [NodeName: HintFollower.Status] { following.withLock { $0.mapValues(\.follower.status) } }

    private var lagSeconds: Double {
        guard let oldest = statuses.values.compactMap(\.oldestMilliseconds).min() else { return 0 }
        return Double(max(WallClock.milliseconds - oldest, 0)) / 1000
    }

    // MARK: - Life

    func start() {
        reconcile()
        let interval = settings.pollInterval
        let task = Task { [weak self] in
            while !Task.isCancelled {
                try? await Task.sleep(for: interval)
                self?.reconcile()
                self?.ringAll()
            }
        }
        poller.withLock { $0 = task }
    }

    func stop() async {
        poller.withLock { $0 }?.cancel()
        let stopped = following.withLock { following in
            defer { following = [:] }
            return Array(following.values)
        }
        for entry in stopped {
            entry.task.cancel()
            entry.bell.ring()
        }
        for entry in stopped { await entry.task.value }
    }

    /// A node has announced hints.
    func wake(_ node: NodeName) { following.withLock { $0[node]?.bell }?.ring() }

    /// false: no such queue. Durable when it returns.
    func suspend(_ node: NodeName, _ isSuspended: Bool) async throws -> Bool {
        guard let entry = following.withLock({ $0[node] }) else { return false }
        try await suspended.set(node, isSuspended)
        entry.follower.suspend(isSuspended)
        entry.bell.ring()
        return true
    }

    private func ringAll() {
        for bell in following.withLock({ $0.values.map(\.bell) }) { bell.ring() }
    }

    private func reconcile() {
        let nodes = cluster.view.storageNodes
        following.withLock { following in
            for node in nodes where following[node] == nil { following[node] = follow(node) }
            for (node, entry) in following where !nodes.contains(node) {
                entry.task.cancel()
                entry.bell.ring()
                following[node] = nil
            }
        }
    }

    private func follow(_ node: NodeName) -> Following {
        let follower = HintFollower(
            source: node, bus: bus, delivery: delivery, settings: settings.follower, metrics: metrics)
        follower.suspend(suspended.contains(node))
        let bell = Bell()
        let cluster = self.cluster
        let task = Task {
            for await _ in bell.rings {
                var goesOn = true
                while goesOn, !Task.isCancelled {
                    let view = cluster.view
                    goesOn = await follower.round(targets: view.storageNodes, members: Set(view.members.keys))
                }
                if Task.isCancelled { return }
            }
        }
        bell.ring()
        return Following(follower: follower, bell: bell, task: task)
    }
}

/// Wakes one task. Rings while it is busy count as one.
private struct Bell: Sendable {
    let rings: AsyncStream<Void>
    private let continuation: AsyncStream<Void>.Continuation

    init() { (rings, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func ring() { continuation.yield() }
}
