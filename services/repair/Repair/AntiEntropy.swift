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
    private let cluster: any ClusterViewing
    private let reader: PartitionReader
    private let registers: RegisterClient
    private let concurrency: Int
    private let metrics: RepairMetrics
    private let logger: Logger
    private let progressState = Mutex(RepairProgress())

    init(
        registers: RegisterClient, bus: any RequestSending, cluster: any ClusterViewing, concurrency: Int,
        metrics: RepairMetrics, logger: Logger
    ) {
        self.cluster = cluster
        self.registers = registers
        reader = PartitionReader(bus: bus)
        self.concurrency = concurrency
        self.metrics = metrics
        self.logger = logger
    }

    /// Of the running comparison, or the result of the last one.
    var progress: RepairProgress { progressState.withLock { $0 } }

    /// One comparison. `node`: only the partitions of this node. One at a time: the caller sees to that.
    func run(task: String, node: NodeName? = nil, handle: TaskHandle = TaskHandle()) async -> RepairProgress {
        let start = ContinuousClock.now
        change { $0.begin(task) }
        handle.update { $0.note = "comparing digests" }
        guard let ring = cluster.view.ring else {
            change { $0.finish(allEqual: false) }
            return progress
        }
        let isEqual = await makeEqual(ring, node, handle)
        change { $0.finish(allEqual: isEqual) }
        metrics.seconds.record(since: start)
        metrics.lastFinished.set(Double(progress.finishedMilliseconds) / 1000)
        log()
        return progress
    }

    private func plan(_ ring: RingTable, _ node: NodeName?, only partitions: [Int] = []) async -> RepairPlan {
        let reader = self.reader
        let answers = await boundedResults(ring.nodes, concurrency: concurrency) {
            (node) async throws(AccessError) -> [Int: PartitionDigest]? in
            await reader.digests(of: node, partitions: partitions)
        }
        var digests: [NodeName: [Int: PartitionDigest]] = [:]
        for case (let node, .success(let found?)) in zip(ring.nodes, answers) { digests[node] = found }
        return RepairPlan(ring: ring, digests: digests, node: node)
    }

    /// Compares, repairs what differs, and compares that again. Returns the proof: whether each partition was seen to be
    /// equal on all its replicas. One that is written to all the time differs now and then, so there are several passes.
    private func makeEqual(_ ring: RingTable, _ node: NodeName?, _ handle: TaskHandle) async -> Bool {
        var unproved: [Int] = []
        for pass in 0...Self.passesMax where !Task.isCancelled {
            let plan = await plan(ring, node, only: unproved)
            if pass == 0 { note(plan, ring, node, handle) }
            guard plan.incomplete == 0 || pass == 0, plan.compared > 0 else { return false }
            if plan.work.isEmpty { return plan.incomplete == 0 && progress.partitionsIncomplete == 0 }
            if pass == Self.passesMax { break }
            for group in plan.registerGroups { await repairRegisters(group, handle) }
            for group in plan.chunkGroups { await repairChunks(group, handle) }
            unproved = plan.work.map(\.partition)
        }
        return false
    }

    private func note(_ plan: RepairPlan, _ ring: RingTable, _ node: NodeName?, _ handle: TaskHandle) {
        change {
            $0.partitionsTotal = node.map { ring.partitions(of: $0).count } ?? ring.partitionCount
            $0.partitionsCompared = plan.compared
            $0.partitionsDiffering = plan.work.count
            $0.partitionsIncomplete = plan.incomplete
        }
        metrics.differing.set(plan.work.count)
        handle.update {
            $0.done = 0
            $0.total = plan.keys
            $0.note = "\(plan.work.count) of \(plan.compared) partitions differ"
        }
    }

    // MARK: - One group of partitions

    private func repairRegisters(_ group: RepairGroup, _ handle: TaskHandle) async {
        let (reader, metrics) = (self.reader, self.metrics)
        let healing = ReplicaHealing(registers, observer: handle)
        await compare(
            group, handle,
            page: { (node, cursor) async throws(BusError) in
                try await reader.registers(group.partitions, at: node, after: cursor)
            },
            heal: { (name) async throws(AccessError) in try await healing.heal(name).count },
            count: { healed, progress in
                progress.registersRepaired += healed
                metrics.registers.increment(by: healed)
            })
    }

    private func repairChunks(_ group: RepairGroup, _ handle: TaskHandle) async {
        let (reader, metrics) = (self.reader, self.metrics)
        let healing = ReplicaHealing(registers, observer: handle)
        await compare(
            group, handle,
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
    private static let passesMax = 4

    /// Walks through the pages of all replicas and heals the keys that differ.
    private func compare<Key: Comparable & Sendable>(
        _ group: RepairGroup, _ handle: TaskHandle,
        page: (NodeName, [UInt8]) async throws(BusError) -> Page<Key>,
        heal: @escaping @Sendable (Key) async throws(AccessError) -> Int,
        count: (Int, inout RepairProgress) -> Void
    ) async {
        var merge = PartitionMerge<Key>(sources: group.replicas.count)
        var cursors: [[UInt8]] = Array(repeating: [], count: group.replicas.count)
        var differing: [Key] = []
        var (isOver, reported) = (false, 0)
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
                await self.heal(differing, handle, heal, count)
                differing = []
            }
            if isOver || merge.compared >= reported + Self.batchMax {
                let compared = UInt64(merge.compared - reported)
                handle.update { $0.done = min($0.done + compared, $0.total) }
                reported = merge.compared
                if (try? await handle.admit(objects: 0)) == nil { isOver = true }
            }
        }
        metrics.compared.increment(by: merge.compared)
        change { $0.keysCompared += merge.compared }
    }

    private func heal<Key: Sendable>(
        _ keys: [Key], _ handle: TaskHandle, _ heal: @escaping @Sendable (Key) async throws(AccessError) -> Int,
        _ count: (Int, inout RepairProgress) -> Void
    ) async {
        guard !keys.isEmpty else { return }
        guard (try? await handle.admit(objects: keys.count)) != nil else { return }
        for result in await boundedResults(keys, concurrency: concurrency, heal) {
            switch result {
            case .success(let healed):
                change { count(healed, &$0) }
                handle.update { $0.objects += UInt64(healed) }
            // Gone meanwhile: its object was deleted or replaced.
            case .failure(.absent): break
            case .failure(let error):
                fail(error)
                handle.update { $0.failures += 1 }
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
