import ClusterState
import Configuration
import Logging
import MessageBus
import Model
import Observability
import ProcessRuntime
import Synchronization
import Threads
import Wire

/// The process around the engine: what memory cannot answer goes to worker threads, new hints are published.
public final class StorageService: ProcessService {
    private let context: ProcessContext
    private let engine: StorageEngine
    private let dispatcher: RequestDispatcher
    private let pool: WorkerPool
    private let departed: DepartedPartitions
    private let maintenance = Monitor((isStopping: false, thread: BlockingThread?.none))
    private let share = Mutex(BusThreadShare())
    private let latency: [MessageType: Histogram]
    private let refused: Counter

    private static let served: [MessageType] = [
        .read, .stage, .commit, .learn, .list, .putChunk, .getChunk, .dropChunks, .fetchReleases, .forgetReleases,
        .noteHint, .fetchHints, .forgetHints, .digestPartitions, .listPartition, .fetchDamage,
        .fetchDoubts, .fence, .trust, .adoptRing, .fetchTombstones, .purge, .raiseFloor,
    ]

    /// Opens the disks: this may take a while after a crash.
    public init(_ context: ProcessContext) async throws {
        self.context = context
        let configuration = context.configuration
        let configured = configuration[StorageSettings.disks]
        var options = StorageEngine.Options(
            node: context.name, dataDirectory: context.dataDirectory,
            disks: configured.isEmpty ? [context.dataDirectory + "/disk-1"] : configured)
        options.segmentSize = configuration[StorageSettings.segmentSize].bytes
        options.indexMemory = configuration[StorageSettings.indexMemory].bytes
        options.moveRate = configuration[StorageSettings.moveRate].bytes
        options.scrub = .init(
            rate: configuration[StorageSettings.scrubRate].bytes,
            interval: Int64(configuration[StorageSettings.scrubInterval] / .milliseconds(1)))
        options.stagedMemory = configuration[StorageSettings.stagedMemory].bytes
        options.reserve = configuration[StorageSettings.reserve].bytes
        options.compaction = CompactionOptions(
            ratio: Double(configuration[StorageSettings.compactionRatio]) / 100,
            rate: configuration[StorageSettings.compactionRate].bytes,
            isAutomatic: configuration[StorageSettings.compactionAutomatic])
        let (metrics, logger) = (context.metrics, context.logger)
        engine = try await Self.blocking { [options] in try StorageEngine(options, metrics: metrics, logger: logger) }
        let cluster = context.cluster
        let gate = try RingGate(
            path: context.dataDirectory + "/adopted-epoch", node: context.name, ring: { cluster.view.ring },
            leaving: { [engine] in engine.leavingPartitions })
        departed = DepartedPartitions(
            engine: engine, gate: gate, ring: { cluster.view.ring },
            patience: configuration[StorageSettings.departedPatience], metrics: metrics, logger: logger)
        dispatcher = RequestDispatcher(engine: engine, ring: { cluster.view.ring }, gate: gate)
        let pool = WorkerPool(queueMax: configuration[StorageSettings.queue])
        self.pool = pool
        latency = Dictionary(
            uniqueKeysWithValues: Self.served.map { type in
                let help = "Time from the arrival of a request to its answer, waiting for a sync included."
                return (type, metrics.histogram("storage_request_seconds", help: help, labels: ["type": "\(type)"]))
            })
        refused = metrics.counter("storage_overloaded", help: "Requests refused because too much work was waiting.")
        metrics.gauge("storage_queue", help: "Requests that wait for a worker.") { Double(pool.waiting) }
    }

    public func start() async throws {
        let bus = context.bus
        engine.onHints { [engine] _ in bus.publish(.hintsAdded, HintsAdded(total: engine.hintCount)) }
        engine.onDamage { count in bus.publish(.damageFound, DamageFound(total: UInt64(count))) }
        engine.start()
        departed.start()
        pool.start(threads: context.configuration[StorageSettings.workers], name: "storage-worker")
        maintenance.withLock { $0.thread = BlockingThread(name: "storage-upkeep") { self.maintain() } }
    }

    public func handle(_ request: IncomingRequest, _ responder: Responder) {
        let arrival = ContinuousClock.now
        let latency = latency[request.type]
        let timed = Responder { answer in
            latency?.record(since: arrival)
            responder.deliver(answer)
        }
        guard RequestDispatcher.needsRing.contains(request.type), wantedEpoch(request) > context.cluster.view.epoch
        else { return submit(request, timed, at: arrival) }
        Task {
            // The sender knows a newer ring than this node. Without it the request is refused.
            try? await self.context.cluster.refresh()
            self.submit(request, timed, at: arrival)
        }
    }

    private func wantedEpoch(_ request: IncomingRequest) -> UInt64 {
        guard request.type == .adoptRing else { return request.epoch }
        return (try? request.decoded(AdoptRingRequest.self).epoch) ?? 0
    }

    private func submit(
        _ request: IncomingRequest, _ responder: Responder, at arrival: ContinuousClock.Instant
    ) {
        if request.type == .adoptRing { return adoptRing(request, responder) }
        if share.withLock({ $0.take(at: arrival) }), dispatcher.serveAtOnce(request, responder) { return }
        let isAccepted = pool.submit { [dispatcher] in
            guard request.deadline > .now else {
                return responder.fail(.deadlineExceeded, "the request waited too long")
            }
            dispatcher.serve(request, responder)
        }
        if !isAccepted {
            refused.increment()
            responder.fail(.overloaded, "too much work is waiting")
        }
    }

    /// It waits for what the workers do, so it must not take one of them.
    private func adoptRing(_ request: IncomingRequest, _ responder: Responder) {
        Task { [dispatcher] in try? await Self.blocking { dispatcher.serve(request, responder) } }
    }

    public func command(_ verb: String, _ arguments: [String]) async throws -> [UInt8]? {
        try await Self.blocking { [engine] in try NodeCommands(engine: engine).run(verb, arguments) }
    }

    public func readiness() async -> [String: Bool] {
        Dictionary(
            uniqueKeysWithValues: engine.slots.map { disk in
                (disk.label, [.running, .full, .draining, .retired].contains(engine.state(of: disk)))
            })
    }

    public func stop() async {
        let thread = maintenance.withLock { state in
            state.isStopping = true
            return state.thread
        }
        maintenance.wake()
        try? await Self.blocking { [pool, engine, departed] in
            thread?.join()
            departed.stop()
            pool.stop()
            engine.stop()
        }
    }

    // MARK: - Threads

    private func maintain() {
        while maintenance.waiting({ state, waiter in
            if !state.pointee.isStopping { _ = waiter.wait(milliseconds: 1000) }
            return !state.pointee.isStopping
        }) {
            engine.maintain()
        }
    }

    /// Runs something that blocks on a thread of its own, never in the cooperative pool.
    private static func blocking<R: Sendable>(_ body: @escaping @Sendable () throws -> R) async throws -> R {
        try await withCheckedThrowingContinuation { continuation in
            _ = BlockingThread(name: "storage-task") { continuation.resume(with: Result(catching: body)) }
        }
    }
}
