import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Register
import Ring
import Synchronization
import Wire

/// Gives disks that have lost records of unknown keys their memory back, and with it their vote. See "Lost memory" in
/// docs/internals/repair.md. Everything may be repeated: after a failure it begins from the beginning, and skips what the
/// disk has got already.
final class MemoryRecovery: Sendable {
    /// Why one disk has to wait for the next look.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    private struct State {
        var status = MemoryRecoveryStatus()
        /// A bound holds for good for the losses that it was made for.
        var bounds: [ForgetfulDisk: (doubts: [Doubt], bound: UInt64)] = [:]
    }

    private static let passesMax = 5
    private static let timeout = Duration.seconds(10)

    private let bus: any RequestSending
    private let cluster: any ClusterViewing
    private let walk: MemoryWalk
    private let concurrency: Int
    private let metrics: MemoryMetrics
    private let logger: Logger
    private let state = Mutex(State())

    init(
        registers: RegisterClient, bus: any RequestSending, cluster: any ClusterViewing, concurrency: Int,
        metrics: MemoryMetrics, logger: Logger
    ) {
        self.bus = bus
        self.cluster = cluster
        self.concurrency = concurrency
        self.metrics = metrics
        self.logger = logger
        walk = MemoryWalk(
            reader: PartitionReader(bus: bus), registers: registers, concurrency: concurrency, metrics: metrics)
    }

    var status: MemoryRecoveryStatus { state.withLock { $0.status } }

    /// Looks who has forgotten something and heals what can be healed, one disk after the other. One at a time: the caller
    /// sees to that.
    func round(_ handle: TaskHandle = TaskHandle()) async {
        guard let ring = cluster.view.ring else { return }
        let plans = MemoryPlan.all(await memories(ring), ring: ring, level: cluster.view.consistency)
        begin(plans)
        for (index, plan) in plans.enumerated() where !Task.isCancelled {
            guard case .possible(let groups) = plan.verdict else { continue }
            do {
                handle.update { $0.note = "\(plan.target.node) \(plan.path)" }
                try await heal(plan, groups, ring, handle) { change in
                    self.state.withLock { change(&$0.status.disks[index]) }
                }
                finished(plan, index)
            } catch {
                failed(plan, index, error)
                handle.update { $0.failures += 1 }
            }
        }
    }

    private func begin(_ plans: [MemoryPlan]) {
        var postponed = 0
        let disks = plans.map { plan in
            var disk = MemoryRecoveryStatus.Disk(node: plan.target.node.rawValue, path: plan.path)
            if case .postponed(let reason) = plan.verdict {
                disk.reason = reason
                postponed += 1
                logger.warning(
                    "a disk that has lost records cannot be healed now",
                    metadata: ["node": "\(plan.target.node)", "disk": "\(plan.path)", "reason": "\(reason)"])
            }
            return disk
        }
        metrics.disks.set(plans.count)
        metrics.postponed.set(postponed)
        state.withLock { state in
            state.status.disks = disks
            let present = Set(plans.map(\.target))
            state.bounds = state.bounds.filter { present.contains($0.key) }
        }
    }

    private func finished(_ plan: MemoryPlan, _ index: Int) {
        metrics.recovered.increment()
        let disk = state.withLock { state in
            state.status.recovered += 1
            state.status.disks[index].state = .trusted
            return state.status.disks[index]
        }
        logger.notice(
            "a disk has its memory back and votes again",
            metadata: [
                "node": "\(plan.target.node)", "disk": "\(plan.path)", "registers": "\(disk.registersTaught)",
                "chunks": "\(disk.chunksTaught)",
            ])
    }

    private func failed(_ plan: MemoryPlan, _ index: Int, _ error: any Error) {
        metrics.failures.increment()
        state.withLock { state in
            state.status.lastError = "\(plan.target.node) \(plan.path): \(error)"
            state.status.disks[index].state = .failed
            state.status.disks[index].reason = "\(error)"
        }
        logger.warning(
            "a disk that has lost records could not be healed",
            metadata: ["node": "\(plan.target.node)", "disk": "\(plan.path)", "error": "\(error)"])
    }

    // MARK: - One disk

    private func heal(
        _ plan: MemoryPlan, _ groups: [RepairGroup], _ ring: RingTable, _ handle: TaskHandle,
        _ note: MemoryWalk.Note
    ) async throws {
        note { $0.state = .fencing }
        let bound = try await fence(plan, ring)
        note { $0.bound = bound }
        let keys = await walk.keys(of: groups)
        handle.update { ($0.done, $0.total) = (0, keys) }
        for pass in 1...Self.passesMax {
            note {
                $0.state = pass == 1 ? .teaching : .proving
                $0.passes = pass
                $0.keysCompared = 0
                $0.doubtfulKeys = 0
            }
            let result = await walk.run(groups, teaching: plan.target.node, above: bound, handle, note)
            if let error = result.error { throw error }
            if pass > 1, result.doubtful == 0 { return try await trust(plan, bound, ring) }
        }
        throw Failure(description: "keys stay doubtful after \(Self.passesMax) walks")
    }

    /// The bound of what was forgotten, in force everywhere.
    private func fence(_ plan: MemoryPlan, _ ring: RingTable) async throws -> UInt64 {
        let bound = try await bound(plan, ring)
        // Nobody may get to know of such a counter before all could tell of it: else a replica that forgets it next would
        // be taken to be behind it.
        try await tell(FenceRequest(counter: bound, note: true), to: ring.nodes)
        try await tell(FenceRequest(counter: bound), to: ring.nodes.filter { $0 != plan.target.node })
        try await tell(FenceRequest(counter: bound, doubts: plan.doubts), to: [plan.target.node])
        return bound
    }

    private func bound(_ plan: MemoryPlan, _ ring: RingTable) async throws -> UInt64 {
        if let bound = plan.bound { return bound }
        if let known = state.withLock({ $0.bounds[plan.target] }), known.doubts == plan.doubts { return known.bound }
        // Asked again: disks that were healed before this one may have moved the counters.
        let memories = await self.memories(ring)
        guard memories.count == ring.nodes.count, plan.isStill(memories) else {
            throw Failure(description: "nodes have changed meanwhile")
        }
        guard let bound = MemoryPlan.newBound(memories) else {
            throw Failure(description: "ballot counters are used up")
        }
        state.withLock { $0.bounds[plan.target] = (plan.doubts, bound) }
        return bound
    }

    private func tell(_ request: FenceRequest, to nodes: [NodeName]) async throws {
        let bus = self.bus
        let results = await boundedResults(nodes, concurrency: concurrency) {
            (node) async throws(AccessError) -> Void in
            do throws(BusError) {
                _ = try await bus.request(.fence, request, to: node, timeout: Self.timeout, answer: FenceReply.self)
            } catch { throw .noQuorum("\(node): \(error)") }
        }
        for case .failure(let error) in results { throw error }
    }

    private func trust(_ plan: MemoryPlan, _ bound: UInt64, _ ring: RingTable) async throws {
        guard cluster.view.ring?.hash == ring.hash else { throw Failure(description: "the ring has changed meanwhile") }
        let memories = await memories(ring)
        guard plan.isStill(memories) else {
            throw Failure(description: "another replica has lost its memory meanwhile, or this one has once more")
        }
        // What the others had purged when they were listed, the disk may have forgotten.
        let floor = memories.values.reduce(PurgeFloor.zero) { $0.joined(with: $1.floor) }
        _ = try await bus.request(
            .raiseFloor, RaiseFloorRequest(floor: Floor(floor)), to: plan.target.node, timeout: Self.timeout,
            answer: RaiseFloorReply.self)
        for var doubt in plan.doubts {
            doubt.ceiling = bound
            let reply = try await bus.request(
                .trust, TrustRequest(doubt: doubt), to: plan.target.node, timeout: Self.timeout, answer: TrustReply.self
            ).message
            guard reply.trusted else { throw Failure(description: "the node has lost something else meanwhile") }
        }
    }

    /// Of the nodes that answer.
    private func memories(_ ring: RingTable) async -> [NodeName: NodeMemory] {
        let bus = self.bus
        let replies = await boundedResults(ring.nodes, concurrency: concurrency) {
            (node) async throws(AccessError) -> FetchDoubtsReply? in
            try? await bus.request(
                .fetchDoubts, FetchDoubtsRequest(), to: node, timeout: Self.timeout, answer: FetchDoubtsReply.self
            ).message
        }
        var memories: [NodeName: NodeMemory] = [:]
        for case (let node, .success(let reply?)) in zip(ring.nodes, replies) {
            memories[node] = NodeMemory(
                doubts: reply.doubts, ceiling: reply.ceiling, floor: PurgeFloor(reply.floor))
        }
        return memories
    }
}
