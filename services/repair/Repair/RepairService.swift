import ClusterState
import Configuration
import MessageBus
import Model
import ObjectAccess
import ProcessRuntime
import S3Protocol
import Synchronization
import Wire

/// `martlet-repair`: compares replicas from time to time, and on demand, and repairs what differs; heals what storage
/// nodes cannot read; gives disks that have lost records their memory back; takes back content that objects no longer
/// have. All of it is tasks of one ``TaskRunner``.
public final class RepairService: ProcessService {
    private let context: ProcessContext
    private let runner: TaskRunner
    private let antiEntropy: AntiEntropy
    private let damage: DamageRepair
    private let releases: ReleaseCollection
    private let garbage: GarbageCollection
    private let lifecycle: LifecycleExpiry
    private let memory: MemoryRecovery
    private let recovery: Recovery
    private let mover: PartitionMover
    private let tombstones: TombstonePurge
    private let removal: BucketRemoval
    private let notices: RemovalNotices
    private let subscriptions = Mutex<[NodeName: SubscriptionToken]>([:])

    public init(_ context: ProcessContext) throws {
        self.context = context
        let configuration = context.configuration
        let registers = RegisterClient(
            bus: context.bus, cluster: context.cluster, writer: context.writer, logger: context.logger,
            metrics: context.metrics)
        let concurrency = configuration[RepairSettings.concurrency]
        runner = try TaskRunner(
            store: TaskStore(path: context.dataDirectory + "/tasks.sqlite"),
            limits: .init(
                objectsPerSecond: configuration[RepairSettings.rate],
                bytesPerSecond: configuration[RepairSettings.byteRate].bytes),
            metrics: TaskMetrics(context.metrics), logger: context.logger)
        antiEntropy = AntiEntropy(
            registers: registers, bus: context.bus, cluster: context.cluster, concurrency: concurrency,
            metrics: RepairMetrics(context.metrics), logger: context.logger)
        damage = DamageRepair(
            registers: registers, bus: context.bus, cluster: context.cluster, concurrency: concurrency,
            metrics: DamageMetrics(context.metrics), logger: context.logger)
        releases = ReleaseCollection(
            registers: registers, bus: context.bus, cluster: context.cluster,
            settings: .init(grace: configuration[RepairSettings.releaseGrace], concurrency: concurrency),
            metrics: ReleaseMetrics(context.metrics), logger: context.logger)
        garbage = GarbageCollection(
            registers: registers, bus: context.bus, cluster: context.cluster,
            settings: .init(
                age: configuration[RepairSettings.garbageAge], grace: configuration[RepairSettings.releaseGrace],
                concurrency: concurrency),
            metrics: context.metrics, logger: context.logger)
        notices = RemovalNotices(
            store: try NoticeStore(path: context.dataDirectory + "/events.sqlite"),
            registers: ClusterRegisters(registers),
            gateways: GatewayEvents(bus: context.bus, cluster: context.cluster), metrics: context.metrics,
            logger: context.logger)
        lifecycle = LifecycleExpiry(
            registers: ClusterRegisters(registers), cluster: context.cluster, notices: notices,
            time: LifecycleClock(day: configuration[RepairSettings.lifecycleDay]), metrics: context.metrics,
            logger: context.logger)
        memory = MemoryRecovery(
            registers: registers, bus: context.bus, cluster: context.cluster, concurrency: concurrency,
            metrics: MemoryMetrics(context.metrics), logger: context.logger)
        mover = PartitionMover(
            registers: registers, bus: context.bus, cluster: context.cluster, concurrency: concurrency,
            metrics: MoveMetrics(context.metrics), logger: context.logger)
        tombstones = TombstonePurge(
            bus: context.bus, cluster: context.cluster,
            settings: .init(grace: configuration[RepairSettings.tombstoneGrace], concurrency: concurrency),
            metrics: TombstoneMetrics(context.metrics), logger: context.logger)
        removal = BucketRemoval(
            registers: ClusterRegisters(registers), cluster: context.cluster,
            ending: ManagerRemovals(bus: context.bus, cluster: context.cluster), notices: notices,
            concurrency: max(8, concurrency), logger: context.logger)
        recovery = Recovery(
            comparison: antiEntropy,
            files: FileRecovery(registers: registers, cluster: context.cluster, concurrency: concurrency),
            memory: memory, cluster: context.cluster, wakeMemory: { [weak runner] in runner?.wake(.memory) })
    }

    public func start() async throws {
        registerStanding()
        registerTombstones()
        registerRemoval()
        let recovery = self.recovery
        runner.register(.recoverFile) { try await recovery.file($1, $0) }
        runner.register(.recoverConsistency) { try await recovery.consistency($1, $0) }
        runner.register(.recoverNode) { try await recovery.node($1, $0) }
        runner.register(.recoverDisk) { try await recovery.disk($1, $0) }
        runner.start()
        subscribe(context.cluster.view)
        context.cluster.onChange { [weak self] view in
            self?.subscribe(view)
            if view.ring?.isMoving == true { self?.runner.wake(.move) }
            if view.buckets.values.contains(where: { $0.state == .bucketRemoving }) {
                self?.runner.wake(.bucketRemoval)
            }
        }
    }

    private func registerStanding() {
        let (antiEntropy, damage, releases, memory) = (self.antiEntropy, self.damage, self.releases, self.memory)
        let garbage = self.garbage
        let configuration = context.configuration
        let interval = configuration[RepairSettings.interval]
        // Several repair processes do not start all at once.
        runner.register(.antiEntropy, every: interval, first: interval * Double.random(in: 0.9...1.1)) { handle, _ in
            await antiEntropy.run(task: "periodic", handle: handle).outcome
        }
        runner.register(.memory, every: configuration[RepairSettings.memoryInterval]) { handle, _ in
            await memory.round(handle)
            return memory.status.outcome
        }
        let mover = self.mover
        runner.register(.move, every: .seconds(10)) { handle, _ in try await mover.round(handle) }
        runner.register(.damage, every: configuration[RepairSettings.damageInterval]) { handle, _ in
            let again = await damage.round(handle)
            var outcome = damage.status.outcome
            outcome.again = again
            return outcome
        }
        runner.register(.releases, every: configuration[RepairSettings.releaseInterval]) { handle, _ in
            await releases.round(handle)
            return releases.status.outcome
        }
        let garbageInterval = configuration[RepairSettings.garbageInterval]
        runner.register(.garbage, every: garbageInterval, first: min(garbageInterval, .seconds(3600))) { handle, _ in
            let again = try await garbage.round(handle)
            var outcome = garbage.status.outcome
            outcome.again = again
            return outcome
        }
        let lifecycle = self.lifecycle
        runner.register(.lifecycle, every: configuration[RepairSettings.lifecycleInterval]) { handle, _ in
            try await lifecycle.round(handle)
            return lifecycle.status.outcome
        }
    }

    private func registerTombstones() {
        let tombstones = self.tombstones
        let interval = context.configuration[RepairSettings.tombstoneInterval]
        runner.register(.tombstones, every: interval, first: interval * Double.random(in: 0.5...1)) { handle, _ in
            try await tombstones.round(handle)
        }
        runner.register(.purgeTombstones) { handle, task in
            try await tombstones.round(handle, age: try Recovery.age(task.arguments))
        }
    }

    private func registerRemoval() {
        let removal = self.removal
        runner.register(.bucketRemoval, every: .seconds(60)) { handle, _ in try await removal.round(handle) }
        let notices = self.notices
        runner.register(.events, every: .seconds(10)) { handle, _ in try await notices.round(handle) }
    }

    /// Publications only wake: what is lost is found by the next look.
    private func subscribe(_ view: ClusterView) {
        subscriptions.withLock { subscriptions in
            for node in view.storageNodes where subscriptions[node] == nil {
                subscriptions[node] = context.bus.subscribe(to: node, [.damageFound]) { [weak self] _ in
                    self?.runner.wake(.damage)
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
        case "recover-consistency", "recover-node", "recover-disk", "purge-tombstones":
            guard let kind = TaskKind(rawValue: verb) else { return nil }
            try recovery.check(kind, arguments)
            return try ReportCoding.encode(TaskStartedReport(id: "\(context.name):\(await submit(kind, arguments))"))
        case "recover-file": return try ReportCoding.encode(await recoverFile(arguments))
        case "repair-status":
            return try ReportCoding.encode(
                RepairReport(
                    comparison: antiEntropy.progress, damage: damage.status, releases: releases.status,
                    garbage: garbage.status, memory: memory.status, lifecycle: lifecycle.status,
                    tombstones: tombstones.status, removals: removal.status, events: notices.status))
        default: return try TaskCommands(process: context.name, runner: runner).run(verb, arguments)
        }
    }

    private func submit(_ kind: TaskKind, _ arguments: [String]) async throws -> String {
        do { return try await runner.submit(kind, arguments) } catch let refusal as TaskSchedule.Refusal {
            throw BusError(refusal)
        }
    }

    /// Done when it returns.
    private func recoverFile(_ arguments: [String]) async throws -> TasksReport.Item {
        try recovery.check(.recoverFile, arguments)
        let id = try await submit(.recoverFile, arguments)
        guard let task = await runner.wait(for: id), let outcome = task.outcome else {
            throw BusError(.unavailable, "the task \(id) has not ended")
        }
        guard outcome.isSuccess else { throw BusError(.unavailable, outcome.text) }
        return TasksReport.Item(task, of: context.name, rates: nil, now: WallClock.milliseconds)
    }

    public func readiness() async -> [String: Bool] { [:] }

    public func stop() async { await runner.stop() }
}
