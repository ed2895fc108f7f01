import Logging
import MetadataIndex
import Model
import Observability
import Ring
import Synchronization
import Threads

/// Drops what the node still has of partitions that the ring took away from it, on a thread of its own.
///
/// A partition has departed when the ring in force, durably adopted, names the node in neither of its sets. Its new replicas
/// were proved complete before that, and whoever goes by an older ring is refused. One record in the log of each disk says
/// so; the entries are taken out of the index after it, some at a time (``SlotMover``), and compaction frees the rest. Until
/// that is over the node does not adopt a ring that gives it the partition again.
final class DepartedPartitions: Sendable {
    private struct State: ThreadedState {
        var isStopping = false
        var thread: BlockingThread?
        /// Since when each partition is known to be away.
        var since: [Int: ContinuousClock.Instant] = [:]
    }

    private static let periodMilliseconds = 1000

    private let engine: StorageEngine
    private let gate: RingGate
    private let ring: @Sendable () -> RingTable?
    private let patience: Duration
    private let dropped: Counter
    private let logger: Logger
    private let state = Monitor(State())

    /// - Parameter patience: how long a partition has to be away.
    init(
        engine: StorageEngine, gate: RingGate, ring: @escaping @Sendable () -> RingTable?, patience: Duration,
        metrics: MetricsRegistry, logger: Logger
    ) {
        self.engine = engine
        self.gate = gate
        self.ring = ring
        self.patience = patience
        self.logger = logger
        dropped = metrics.counter(
            "storage_departed_partitions", help: "Partitions of which a disk dropped what it had: the ring took them.")
        metrics.gauge(
            "storage_departing_partitions", help: "Partitions that are being dropped after the ring took them away."
        ) { [weak engine] in Double(engine?.leavingPartitions.count ?? 0) }
    }

    func start() { state.launch(name: "storage-departed") { self.run() } }
    func stop() { state.stop() }

    private func run() {
        while wait() {
            do { try look() } catch {
                logger.info("what departed cannot be dropped now", metadata: ["error": "\(error)"])
            }
        }
    }

    private func wait() -> Bool {
        state.waiting { state, waiter in
            if !state.pointee.isStopping { _ = waiter.wait(milliseconds: Self.periodMilliseconds) }
            return !state.pointee.isStopping
        }
    }

    /// Looks once for what is to be dropped. Blocks.
    func look(now: ContinuousClock.Instant = .now) throws {
        guard let ring = ring() else { return }
        let due = due(ring, now)
        guard !due.isEmpty, let cut = PartitionCut(hashKey: ring.hashKey, count: ring.partitionCount) else { return }
        for disk in engine.disks where disk.failure == nil {
            guard let digests = try disk.partitionDigests(PartitionScheme(ring: ring)) else { continue }
            let present = due.filter { digests[$0].registerCount > 0 || digests[$0].chunkCount > 0 }
            if !present.isEmpty { try drop(present, of: disk, cut) }
        }
    }

    /// Those that have been away for long enough.
    private func due(_ ring: RingTable, _ now: ContinuousClock.Instant) -> [Int] {
        let node = engine.options.node
        let departed = ring.partitions.indices.filter { !ring.holds($0, node) }
        return state.withLock { state in
            let known = state.since
            state.since = Dictionary(uniqueKeysWithValues: departed.map { ($0, known[$0] ?? now) })
            return departed.filter { now - state.since[$0]! >= patience }
        }
    }

    private func drop(_ present: [Int], of disk: DiskReplica, _ cut: PartitionCut) throws {
        let partitions = try gate.withAdopted { adopted in
            let away = present.filter { !adopted.holds($0, engine.options.node) }.map { UInt32($0) }
            if !away.isEmpty { try disk.leave(away, of: cut) }
            return away
        }
        guard !partitions.isEmpty else { return }
        dropped.increment(by: partitions.count)
        logger.notice(
            "partitions that the ring took away are dropped",
            metadata: ["disk": "\(disk.path)", "partitions": "\(partitions.count)"])
        engine.mover.wake()
    }
}

extension StorageEngine {
    /// Partitions that the ring took away, and of which something is still being dropped.
    var leavingPartitions: Set<UInt32> {
        disks.reduce(into: []) { $0.formUnion($1.index.leavingPartitions) }
    }
}
