import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Register
import Ring
import Wire

/// Completes the new replicas of partitions that move, proves it, and tells the managers.
///
/// It keeps nothing: what a round has not finished the next one begins anew, and finds less to do.
final class PartitionMover: Sendable {
    /// What became of the work of one round.
    private struct Outcome {
        var failed = Set<Int>()
        var copied = 0
    }

    private let cluster: any ClusterViewing
    private let bus: any RequestSending
    private let reader: PartitionReader
    private let registers: RegisterClient
    private let concurrency: Int
    private let metrics: MoveMetrics
    private let logger: Logger

    private static let adoptionTimeout = Duration.seconds(12)
    private static let timeout = Duration.seconds(5)
    private static let batchMax = 64
    /// What is begun at once: then the pace is asked again.
    private static let sliceMax = 8

    init(
        registers: RegisterClient, bus: any RequestSending, cluster: any ClusterViewing, concurrency: Int,
        metrics: MoveMetrics, logger: Logger
    ) {
        self.cluster = cluster
        self.bus = bus
        reader = PartitionReader(bus: bus)
        self.registers = registers
        self.concurrency = concurrency
        self.metrics = metrics
        self.logger = logger
    }

    func round(_ handle: TaskHandle) async throws -> TaskOutcome {
        let moving = cluster.view.ring?.partitions.count { !$0.next.isEmpty } ?? 0
        metrics.moving.set(moving)
        guard let ring = cluster.view.ring, moving > 0 else { return .proved("no partition moves") }
        handle.update { $0.total = UInt64(moving) }
        let ready = await carryFloor(await readyNodes(ring), ring)
        let plan = MovePlan(ring, level: cluster.view.consistency, ready: ready)
        var outcome = TaskOutcome.unproved("\(moving) partitions wait for replicas that do not answer or remember")
        outcome.again = .seconds(1)
        guard !plan.partitions.isEmpty else { return outcome }
        let healing = ReplicaHealing(registers, observer: handle)
        let names = try await moveRegisters(plan, ring, healing, handle)
        let chunks = try await moveChunks(plan, ring, healing, handle)
        let failed = names.failed.union(chunks.failed)
        let proved = plan.partitions.filter { !failed.contains($0.key) }
        metrics.failures.increment(by: failed.count)
        await report(proved, copied: names.copied + chunks.copied)
        handle.update { progress in
            progress.done = UInt64(proved.count)
            progress.failures = UInt64(failed.count)
        }
        outcome.text = "\(proved.count) of \(moving) partitions that move are complete"
        outcome.isProved = proved.count == moving
        return outcome
    }

    /// Those that have adopted this ring and remember everything, and what they have purged. Nothing more is purged of these
    /// partitions there.
    private func readyNodes(_ ring: RingTable) async -> [NodeName: PurgeFloor] {
        let nodes = Set(ring.partitions.filter { !$0.next.isEmpty }.flatMap(\.nodes)).sorted()
        let bus = bus
        let answers = await boundedResults(nodes, concurrency: max(nodes.count, 1)) {
            (node) async throws(AccessError) -> PurgeFloor? in
            do throws(BusError) {
                _ = try await bus.request(
                    .adoptRing, AdoptRingRequest(epoch: ring.epoch), to: node, timeout: Self.adoptionTimeout,
                    answer: AdoptRingReply.self)
                let memory = try await bus.request(
                    .fetchDoubts, FetchDoubtsRequest(), to: node, timeout: Self.timeout, answer: FetchDoubtsReply.self
                ).message
                return memory.doubts.isEmpty ? PurgeFloor(memory.floor) : nil
            } catch { return nil }
        }
        var ready: [NodeName: PurgeFloor] = [:]
        for case (let node, .success(let floor?)) in zip(nodes, answers) { ready[node] = floor }
        return ready
    }

    /// The new replicas take over what the old ones have purged, before they are listed: else something older could still
    /// come to them, behind the list. Those that have are ready, and all of the old sets.
    private func carryFloor(_ ready: [NodeName: PurgeFloor], _ ring: RingTable) async -> Set<NodeName> {
        let floor = ready.values.reduce(PurgeFloor.zero) { $0.joined(with: $1) }
        let behind = Set(ring.partitions.flatMap(\.next)).filter { ready[$0].map { $0 != floor } ?? false }.sorted()
        let bus = bus
        let answers = await boundedResults(behind, concurrency: max(behind.count, 1)) {
            (node) async throws(AccessError) -> Bool in
            do throws(BusError) {
                _ = try await bus.request(
                    .raiseFloor, RaiseFloorRequest(floor: Floor(floor)), to: node, timeout: Self.timeout,
                    answer: RaiseFloorReply.self)
                return true
            } catch { return false }
        }
        let failed = zip(behind, answers).filter { !((try? $1.get()) ?? false) }.map(\.0)
        return Set(ready.keys).subtracting(failed)
    }

    // MARK: - Walks

    private struct Work<Item: Sendable>: Sendable {
        var partition: Int
        var item: Item
        /// Its being nowhere is no failure.
        var mayVanish = false
    }

    private func moveRegisters(
        _ plan: MovePlan, _ ring: RingTable, _ healing: ReplicaHealing, _ handle: TaskHandle
    ) async throws -> Outcome {
        let reader = reader
        return try await walk(
            plan, handle,
            page: { (node, cursor) async throws(BusError) in
                try await reader.registers(plan.partitions(at: node), at: node, after: cursor)
            },
            work: { (name: Model.RegisterName, tags) in
                let partition = ring.partition(of: name)
                let need = plan.need(partition, tags)
                return need == .nothing ? nil : Work(partition: partition, item: (name, need))
            },
            carryOut: { item async throws(AccessError) -> Int in
                let (name, need) = item
                switch need {
                case .nothing: return 0
                case .copy(let tag, let holders, let nodes):
                    if try await healing.copy(name, tag: tag, from: holders, to: nodes) { return nodes.count }
                    try await healing.settle(name, above: tag, to: nodes)
                    return nodes.count
                case .decide(let tag, let nodes):
                    try await healing.settle(name, above: tag, to: nodes)
                    return nodes.count
                }
            })
    }

    private func moveChunks(
        _ plan: MovePlan, _ ring: RingTable, _ healing: ReplicaHealing, _ handle: TaskHandle
    ) async throws -> Outcome {
        let reader = reader
        return try await walk(
            plan, handle,
            page: { (node, cursor) async throws(BusError) in
                try await reader.chunks(plan.partitions(at: node), at: node, after: cursor)
            },
            work: { (chunk: ChunkName, tags) in
                let partition = ring.partition(of: chunk)
                let nodes = plan.lacking(partition, tags.map { $0 != nil })
                return nodes.isEmpty ? nil : Work(partition: partition, item: (chunk, nodes), mayVanish: true)
            },
            carryOut: { item async throws(AccessError) -> Int in
                var copied = 0
                for node in item.1 where try await healing.copy(item.0, to: node) { copied += 1 }
                return copied
            })
    }

    private func walk<Key: Comparable & Sendable, Item: Sendable>(
        _ plan: MovePlan, _ handle: TaskHandle, page: (NodeName, [UInt8]) async throws(BusError) -> Page<Key>,
        work: (Key, [Ballot?]) -> Work<Item>?,
        carryOut: @escaping @Sendable (Item) async throws(AccessError) -> Int
    ) async throws -> Outcome {
        var merge = MoveMerge<Key>(sources: plan.nodes.count)
        var cursors: [[UInt8]] = Array(repeating: [], count: plan.nodes.count)
        var batch: [Work<Item>] = []
        var outcome = Outcome()
        while !Task.isCancelled {
            switch merge.next() {
            case .need(let source):
                do {
                    let next = try await page(plan.nodes[source], cursors[source])
                    cursors[source] = next.cursor
                    try merge.add(next.items, isLast: next.cursor.isEmpty, to: source)
                } catch {
                    logger.info(
                        "a replica cannot be listed", metadata: ["node": "\(plan.nodes[source])", "error": "\(error)"])
                    outcome.failed = Set(plan.partitions.keys)
                    return outcome
                }
            case .key(let key, let tags):
                if let item = work(key, tags) { batch.append(item) }
                guard batch.count >= Self.batchMax else { continue }
                try await carry(batch, handle, carryOut, &outcome)
                batch = []
            case .end:
                try await carry(batch, handle, carryOut, &outcome)
                return outcome
            }
        }
        outcome.failed = Set(plan.partitions.keys)
        return outcome
    }

    private func carry<Item: Sendable>(
        _ batch: [Work<Item>], _ handle: TaskHandle,
        _ carryOut: @escaping @Sendable (Item) async throws(AccessError) -> Int, _ outcome: inout Outcome
    ) async throws {
        var rest = batch[...]
        while !rest.isEmpty {
            let slice = rest.prefix(Self.sliceMax)
            rest = rest.dropFirst(Self.sliceMax)
            try await handle.admit(objects: slice.count)
            let results = await boundedResults(slice.map(\.item), concurrency: concurrency, carryOut)
            note(zip(slice, results), handle, &outcome)
        }
    }

    private func note<Item: Sendable>(
        _ results: some Sequence<(Work<Item>, Result<Int, AccessError>)>, _ handle: TaskHandle, _ outcome: inout Outcome
    ) {
        for (item, result) in results {
            switch result {
            case .success(let copies):
                outcome.copied += copies
                handle.update { $0.objects += UInt64(copies) }
                metrics.copied.increment(by: copies)
            // Gone meanwhile: its object was deleted or replaced. Of a register that proves nothing.
            case .failure(.absent) where item.mayVanish: break
            case .failure(let error):
                outcome.failed.insert(item.partition)
                let details: Logger.Metadata = ["partition": "\(item.partition)", "error": "\(error)"]
                logger.info("a partition is not complete yet", metadata: details)
            }
        }
    }

    // MARK: - Proof

    private func report(_ proved: [Int: PartitionReplicas], copied: Int) async {
        let items = proved.sorted { $0.key < $1.key }.map {
            ProvedPartition(partition: UInt32($0.key), epoch: $0.value.epoch)
        }
        // Each counts for itself: whichever leads, all can tell how far the plan is.
        for manager in cluster.view.managers {
            let request = ReportMovesRequest(proved: items, copies: UInt64(copied))
            _ = try? await bus.request(
                .reportMoves, request, to: manager, timeout: Self.timeout, answer: ReportMovesReply.self)
        }
    }
}
