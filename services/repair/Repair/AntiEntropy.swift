import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Ring
import Synchronization
import Wire

/// Compares all replicas by their digests, the differing partitions key by key, and repairs what differs.
final class AntiEntropy: Sendable {
    struct Settings: Sendable {
        var ratePerSecond: Int
        var concurrency: Int
    }

    private let cluster: any ClusterViewing
    private let reader: PartitionReader
    private let healing: ReplicaHealing
    private let settings: Settings
    private let metrics: RepairMetrics
    private let logger: Logger
    private let progressState = Mutex(RepairProgress())
    private let limit: Mutex<RateLimit>
    private let origin = ContinuousClock.now

    init(
        registers: RegisterClient, bus: any RequestSending, cluster: any ClusterViewing, settings: Settings,
        metrics: RepairMetrics, logger: Logger
    ) {
        self.cluster = cluster
        reader = PartitionReader(bus: bus)
        healing = ReplicaHealing(registers)
        self.settings = settings
        self.metrics = metrics
        self.logger = logger
        limit = Mutex(RateLimit(perSecond: settings.ratePerSecond, now: .zero))
    }

    /// Of the running comparison, or the result of the last one.
    var progress: RepairProgress { progressState.withLock { $0 } }

    /// One comparison. `node`: only the partitions of this node. One at a time: the caller sees to that.
    func run(task: String, node: NodeName? = nil) async -> RepairProgress {
        let start = ContinuousClock.now
        change { $0.begin(task) }
        guard let ring = cluster.view.ring else {
            change { $0.finish(allEqual: false) }
            return progress
        }
        let plan = await plan(ring, node)
        change {
            $0.partitionsTotal = node.map { ring.partitions(of: $0).count } ?? ring.partitionCount
            $0.partitionsCompared = plan.compared
            $0.partitionsDiffering = plan.work.count
            $0.partitionsIncomplete = plan.incomplete
        }
        metrics.differing.set(plan.work.count)
        for group in plan.registerGroups { await repairRegisters(group) }
        for group in plan.chunkGroups { await repairChunks(group) }
        let isEqual = await isProved(plan, ring, node)
        change { $0.finish(allEqual: isEqual) }
        metrics.seconds.record(since: start)
        metrics.lastFinished.set(Double(progress.finishedMilliseconds) / 1000)
        log()
        return progress
    }

    private func plan(_ ring: RingTable, _ node: NodeName?, only partitions: [Int] = []) async -> RepairPlan {
        let reader = self.reader
        let answers = await boundedResults(ring.nodes, concurrency: settings.concurrency) {
            (node) async throws(AccessError) -> [Int: PartitionDigest]? in
            await reader.digests(of: node, partitions: partitions)
        }
        var digests: [NodeName: [Int: PartitionDigest]] = [:]
        for case (let node, .success(let found?)) in zip(ring.nodes, answers) { digests[node] = found }
        return RepairPlan(ring: ring, digests: digests, node: node)
    }

    /// Compares again what differed.
    private func isProved(_ plan: RepairPlan, _ ring: RingTable, _ node: NodeName?) async -> Bool {
        guard plan.incomplete == 0, plan.compared > 0 else { return false }
        if plan.work.isEmpty { return true }
        let repaired = Set(plan.work.map(\.partition))
        let after = await self.plan(ring, node, only: repaired.sorted())
        return after.incomplete == 0 && !after.work.contains { repaired.contains($0.partition) }
    }

    // MARK: - One group of partitions

    private func repairRegisters(_ group: RepairGroup) async {
        let (reader, healing, metrics) = (self.reader, self.healing, self.metrics)
        await compare(
            group,
            page: { (node, cursor) async throws(BusError) in
                try await reader.registers(group.partitions, at: node, after: cursor)
            },
            heal: { (name) async throws(AccessError) in try await healing.heal(name).count },
            count: { healed, progress in
                progress.registersRepaired += healed
                metrics.registers.increment(by: healed)
            })
    }

    private func repairChunks(_ group: RepairGroup) async {
        let (reader, healing, metrics) = (self.reader, self.healing, self.metrics)
        await compare(
            group,
            page: { (node, cursor) async throws(BusError) in
                try await reader.chunks(group.partitions, at: node, after: cursor)
            },
            heal: { (chunk) async throws(AccessError) in try await healing.heal(chunk).count },
            count: { healed, progress in
                progress.chunksRepaired += healed
                metrics.chunks.increment(by: healed)
            })
    }

    private static let batchMax = 64

    /// Walks through the pages of all replicas and heals the keys that differ.
    private func compare<Key: Comparable & Sendable>(
        _ group: RepairGroup,
        page: (NodeName, [UInt8]) async throws(BusError) -> Page<Key>,
        heal: @escaping @Sendable (Key) async throws(AccessError) -> Int,
        count: (Int, inout RepairProgress) -> Void
    ) async {
        var merge = PartitionMerge<Key>(sources: group.replicas.count)
        var cursors: [[UInt8]] = Array(repeating: [], count: group.replicas.count)
        var differing: [Key] = []
        var isOver = false
        while !isOver, !Task.isCancelled {
            switch merge.next() {
            case .need(let source):
                do {
                    let next = try await page(group.replicas[source], cursors[source])
                    cursors[source] = next.cursor
                    try merge.add(next.items, isLast: next.cursor.isEmpty, to: source)
                } catch {
                    fail(error)
                    isOver = true
                }
            case .differs(let key): differing.append(key)
            case .end: isOver = true
            }
            if isOver || differing.count >= Self.batchMax {
                await self.heal(differing, heal, count)
                differing = []
            }
        }
        metrics.compared.increment(by: merge.compared)
        change { $0.keysCompared += merge.compared }
    }

    private func heal<Key: Sendable>(
        _ keys: [Key], _ heal: @escaping @Sendable (Key) async throws(AccessError) -> Int,
        _ count: (Int, inout RepairProgress) -> Void
    ) async {
        guard !keys.isEmpty else { return }
        let wait = limit.withLock { $0.take(keys.count, now: origin.duration(to: .now)) }
        if wait > .zero { try? await Task.sleep(for: wait) }
        for result in await boundedResults(keys, concurrency: settings.concurrency, heal) {
            switch result {
            case .success(let healed): change { count(healed, &$0) }
            // Gone meanwhile: its object was deleted or replaced.
            case .failure(.absent): break
            case .failure(let error): fail(error)
            }
        }
    }

    private func fail(_ error: any Error) {
        change { $0.failed(error) }
        metrics.failures.increment()
    }

    private func change(_ body: (inout RepairProgress) -> Void) { progressState.withLock { body(&$0) } }

    private func log() {
        let progress = self.progress
        logger.log(
            level: progress.failures > 0 ? .warning : progress.partitionsDiffering > 0 ? .info : .debug,
            "replicas compared",
            metadata: [
                "task": "\(progress.task)", "partitions": "\(progress.partitionsCompared)",
                "differing": "\(progress.partitionsDiffering)", "registers": "\(progress.registersRepaired)",
                "chunks": "\(progress.chunksRepaired)", "failures": "\(progress.failures)",
                "all_equal": "\(progress.allEqual)",
            ])
    }
}
