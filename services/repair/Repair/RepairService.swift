import ClusterState
import Configuration
import MessageBus
import Model
import ObjectAccess
import ProcessRuntime
import Synchronization
import Wire

/// `martlet-repair`: compares replicas from time to time, and on demand, and repairs what differs; heals what storage
/// nodes cannot read; gives disks that have lost records their memory back; takes back content that objects no longer have.
public final class RepairService: ProcessService {
    private struct Request: Sendable {
        var task: String
        var node: NodeName?
    }

    private let context: ProcessContext
    private let registers: RegisterClient
    private let antiEntropy: AntiEntropy
    private let damage: DamageRepair
    private let releases: ReleaseCollection
    private let memory: MemoryRecovery
    private let damageWork = RepeatedWork()
    private let memoryWork = RepeatedWork()
    private let releaseWork = RepeatedWork()
    private let subscriptions = Mutex<[NodeName: SubscriptionToken]>([:])
    private let requests: AsyncStream<Request>
    private let submit: AsyncStream<Request>.Continuation
    private let tasks = Mutex<[Task<Void, Never>]>([])

    /// Requests that wait while one runs; an older one gives way, for a later one covers at least as much time.
    private static let requestsMax = 8

    public init(_ context: ProcessContext) {
        self.context = context
        let configuration = context.configuration
        registers = RegisterClient(
            bus: context.bus, cluster: context.cluster, writer: context.writer, logger: context.logger,
            metrics: context.metrics)
        let (rate, concurrency) = (configuration[RepairSettings.rate], configuration[RepairSettings.concurrency])
        antiEntropy = AntiEntropy(
            registers: registers, bus: context.bus, cluster: context.cluster,
            settings: .init(ratePerSecond: rate, concurrency: concurrency), metrics: RepairMetrics(context.metrics),
            logger: context.logger)
        damage = DamageRepair(
            registers: registers, bus: context.bus, cluster: context.cluster,
            settings: .init(ratePerSecond: rate, concurrency: concurrency), metrics: DamageMetrics(context.metrics),
            logger: context.logger)
        releases = ReleaseCollection(
            registers: registers, bus: context.bus, cluster: context.cluster,
            settings: .init(
                grace: configuration[RepairSettings.releaseGrace], ratePerSecond: rate, concurrency: concurrency),
            metrics: ReleaseMetrics(context.metrics), logger: context.logger)
        memory = MemoryRecovery(
            registers: registers, bus: context.bus, cluster: context.cluster,
            settings: .init(ratePerSecond: rate, concurrency: concurrency), metrics: MemoryMetrics(context.metrics),
            logger: context.logger)
        (requests, submit) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.requestsMax))
    }

    public func start() async throws {
        let (submit, requests, antiEntropy) = (self.submit, self.requests, self.antiEntropy)
        let interval = context.configuration[RepairSettings.interval]
        let clock = Task {
            while !Task.isCancelled {
                // Several repair processes do not start all at once.
                try? await Task.sleep(for: interval * Double.random(in: 0.9...1.1))
                if !Task.isCancelled { submit.yield(Request(task: "periodic")) }
            }
        }
        let worker = Task {
            for await request in requests {
                _ = await antiEntropy.run(task: request.task, node: request.node)
                if Task.isCancelled { return }
            }
        }
        tasks.withLock { $0 = [clock, worker] }
        startRepeatedWork()
        subscribe(context.cluster.view)
        context.cluster.onChange { [weak self] view in self?.subscribe(view) }
    }

    private func startRepeatedWork() {
        let (damage, releases, memory) = (self.damage, self.releases, self.memory)
        memoryWork.start(every: context.configuration[RepairSettings.memoryInterval]) {
            await memory.round()
            return nil
        }
        damageWork.start(every: context.configuration[RepairSettings.damageInterval]) { await damage.round() }
        releaseWork.start(every: context.configuration[RepairSettings.releaseInterval]) {
            await releases.round()
            return nil
        }
    }

    /// Publications only wake: what is lost is found by the next look.
    private func subscribe(_ view: ClusterView) {
        subscriptions.withLock { subscriptions in
            for node in view.storageNodes where subscriptions[node] == nil {
                subscriptions[node] = context.bus.subscribe(to: node, [.damageFound]) { [weak self] _ in
                    self?.damageWork.wake()
                }
            }
            for (node, token) in subscriptions where !view.storageNodes.contains(node) {
                context.bus.unsubscribe(token)
                subscriptions[node] = nil
            }
        }
    }

    public func handle(_ request: IncomingRequest, _ responder: Responder) {
        responder.fail(.unknownType, "a repair process serves no \(request.type)")
    }

    public func command(_ verb: String, _ arguments: [String]) async throws -> [UInt8]? {
        switch verb {
        case "recover-consistency", "recover-node":
            let node = try arguments.first.map(member)
            submit.yield(Request(task: ([verb] + arguments).joined(separator: " "), node: node))
            return try ReportCoding.encode(antiEntropy.progress)
        case "recover-file":
            let recovery = FileRecovery(
                registers: registers, cluster: context.cluster,
                concurrency: context.configuration[RepairSettings.concurrency])
            return try ReportCoding.encode(await recovery.run(path: arguments.first ?? ""))
        case "repair-status":
            return try ReportCoding.encode(
                RepairReport(
                    comparison: antiEntropy.progress, damage: damage.status, releases: releases.status,
                    memory: memory.status))
        default: return nil
        }
    }

    private func member(_ name: String) throws -> NodeName {
        let node = NodeName(name)
        guard context.cluster.view.ring?.nodes.contains(node) == true else {
            throw BusError(.notFound, "\(name) holds no part of the ring")
        }
        return node
    }

    public func readiness() async -> [String: Bool] { [:] }

    public func stop() async {
        submit.finish()
        await damageWork.stop()
        await memoryWork.stop()
        await releaseWork.stop()
        let stopped = tasks.withLock { $0 }
        for task in stopped { task.cancel() }
        for task in stopped { await task.value }
    }
}
