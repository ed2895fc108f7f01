import ClusterState
import Configuration
import MessageBus
import Model
import ObjectAccess
import ProcessRuntime
import Synchronization
import Wire

/// `martlet-replicator`: delivers to replicas what they missed.
public final class ReplicatorService: ProcessService {
    private let context: ProcessContext
    private let replication: Replication
    private let subscriptions = Mutex<[NodeName: SubscriptionToken]>([:])

    public init(_ context: ProcessContext) throws {
        self.context = context
        let configuration = context.configuration
        let registers = RegisterClient(
            bus: context.bus, cluster: context.cluster, writer: context.writer, logger: context.logger,
            metrics: context.metrics)
        replication = Replication(
            registers: registers, bus: context.bus, cluster: context.cluster,
            suspended: try SuspendedQueues(path: context.dataDirectory + "/suspended.json"),
            settings: .init(
                pollInterval: configuration[ReplicatorSettings.pollInterval],
                follower: .init(
                    batch: configuration[ReplicatorSettings.batch],
                    concurrency: configuration[ReplicatorSettings.concurrency])),
            logger: context.logger, metrics: context.metrics)
    }

    public func start() async throws {
        replication.start()
        subscribe(context.cluster.view)
        context.cluster.onChange { [weak self] view in self?.subscribe(view) }
    }

    /// Publications only wake: what is lost is found by the next poll.
    private func subscribe(_ view: ClusterView) {
        subscriptions.withLock { subscriptions in
            for node in view.storageNodes where subscriptions[node] == nil {
                subscriptions[node] = context.bus.subscribe(to: node, [.hintsAdded]) { [weak self] in
                    self?.replication.wake($0.sender)
                }
            }
            for (node, token) in subscriptions where !view.storageNodes.contains(node) {
                context.bus.unsubscribe(token)
                subscriptions[node] = nil
            }
        }
    }

    public func handle(_ request: IncomingRequest, _ responder: Responder) {
        responder.fail(.unknownType, "a replicator serves no \(request.type)")
    }

    public func command(_ verb: String, _ arguments: [String]) async throws -> [UInt8]? {
        switch verb {
        case "mq-stats": return try ReportCoding.encode(ReplicationReport.make(replication.statuses))
        case "tasks":
            return try ReportCoding.encode(ReplicationReport.tasks(replication.statuses, of: context.name))
        case "tasks-cancel", "tasks-throttle":
            throw BusError(.invalidArgument, "the delivery of hints can only be paused and resumed")
        case "mq-suspend", "mq-resume", "tasks-pause", "tasks-resume":
            guard let id = arguments.first, let node = ReplicationReport.node(ofQueue: id),
                try await replication.suspend(node, ["mq-suspend", "tasks-pause"].contains(verb))
            else { throw BusError(.invalidArgument, "no such queue; see mq-stats") }
            return try ReportCoding.encode(DoneReport())
        default: return nil
        }
    }

    public func readiness() async -> [String: Bool] {
        ["storage": replication.statuses.values.contains(where: \.isReachable) || context.cluster.view.ring == nil]
    }

    public func stop() async { await replication.stop() }
}
