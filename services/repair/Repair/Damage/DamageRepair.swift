import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Synchronization
import Wire

/// Heals what storage nodes hold and cannot read, from the other replicas. What cannot be healed now is tried again
/// after a time that grows.
final class DamageRepair: Sendable {
    /// Encoded as JSON for the administrator.
    struct Status: Codable, Sendable, Equatable {
        /// Records that nodes cannot read and that could not be healed yet, as of the last look.
        var damaged = 0
        /// Since the start.
        var repaired = 0
        /// Nodes that did not answer.
        var unreachable: [String] = []
        var lastError = ""
    }

    private struct ItemID: Hashable, Sendable {
        var node: NodeName
        var id: UInt64
    }

    static let pageSize: UInt32 = 256
    private static let timeout = Duration.seconds(5)

    private let bus: any RequestSending
    private let cluster: any ClusterViewing
    private let registers: RegisterClient
    private let concurrency: Int
    private let metrics: DamageMetrics
    private let logger: Logger
    private let state = Mutex((status: Status(), schedule: RetrySchedule<ItemID>()))
    private let origin = ContinuousClock.now

    init(
        registers: RegisterClient, bus: any RequestSending, cluster: any ClusterViewing, concurrency: Int,
        metrics: DamageMetrics, logger: Logger
    ) {
        self.bus = bus
        self.cluster = cluster
        self.registers = registers
        self.concurrency = concurrency
        self.metrics = metrics
        self.logger = logger
    }

    var status: Status { state.withLock { $0.status } }

    private var now: Duration { origin.duration(to: .now) }

    /// Looks at the lists of all nodes and heals what is due. One at a time: the caller sees to that. Returns how long
    /// to wait at most before the next look is worthwhile; nil: until something is found.
    func round(_ handle: TaskHandle = TaskHandle()) async -> Duration? {
        var damaged = 0
        var unreachable: [String] = []
        for node in cluster.view.storageNodes {
            guard let count = await round(node, handle) else {
                unreachable.append(node.rawValue)
                continue
            }
            damaged += count
        }
        metrics.damaged.set(damaged)
        let now = self.now
        return state.withLock { state in
            state.status.damaged = damaged
            state.status.unreachable = unreachable
            return state.schedule.next.map { max($0 - now, .zero) }
        }
    }

    /// Returns how much the node still lists; nil when it does not answer.
    private func round(_ node: NodeName, _ handle: TaskHandle) async -> Int? {
        var after: UInt64 = 0
        var listed: Set<UInt64> = []
        var healed = 0
        while !Task.isCancelled {
            guard let page = await fetch(from: node, after: after) else { return nil }
            listed.formUnion(page.items.map(\.id))
            handle.update { $0.total += UInt64(page.items.count) }
            healed += await heal(page.items, of: node, handle)
            guard let last = page.items.last, page.items.count >= Int(Self.pageSize) else { break }
            after = last.id
        }
        // What is no longer listed was healed by somebody else, or is no longer needed.
        state.withLock { $0.schedule.retain { $0.node != node || listed.contains($0.id) } }
        return listed.count - healed
    }

    private func heal(_ items: [DamagedItem], of node: NodeName, _ handle: TaskHandle) async -> Int {
        let now = self.now
        let due = state.withLock { state in
            items.filter { state.schedule.allows(ItemID(node: node, id: $0.id), now: now) }
        }
        guard !due.isEmpty, (try? await handle.admit(objects: due.count)) != nil else { return 0 }
        let healing = ReplicaHealing(registers, observer: handle)
        let results = await boundedResults(due, concurrency: concurrency) {
            (item) async throws(AccessError) in try await Self.heal(item, of: node, healing)
        }
        for (item, result) in zip(due, results) { note(result, item, node) }
        let healed = results.count { if case .success = $0 { true } else { false } }
        handle.update {
            $0.done += UInt64(healed)
            $0.objects += UInt64(healed)
            $0.failures += UInt64(due.count - healed)
        }
        return healed
    }

    private static func heal(
        _ item: DamagedItem, of node: NodeName, _ healing: ReplicaHealing
    ) async throws(AccessError) {
        if item.chunk {
            guard let blob = BlobID(item.blob) else { throw .damaged("an item without a blob") }
            _ = try await healing.copy(ChunkName(blob: blob, index: item.index), to: node)
        } else {
            guard let name = Model.RegisterName(item.name) else {
                throw .damaged("the node does not know the register of the blob yet")
            }
            try await healing.restore(name, to: node)
        }
    }

    private func note(_ result: Result<Void, AccessError>, _ item: DamagedItem, _ node: NodeName) {
        let id = ItemID(node: node, id: item.id)
        let now = self.now
        switch result {
        case .success:
            metrics.count(item)
            state.withLock { state in
                state.status.repaired += 1
                // A node that lists it again although it was brought back is not asked at once.
                state.schedule.failed(id, now: now)
            }
        case .failure(let error):
            metrics.failures.increment()
            state.withLock { state in
                state.status.lastError = "\(error)"
                state.schedule.failed(id, now: now)
            }
            logger.warning(
                "a damaged record cannot be healed yet",
                metadata: [
                    "node": "\(node)", "disk": "\(item.disk)", "chunk": "\(item.chunk)", "index": "\(item.index)",
                    "error": "\(error)",
                ])
        }
    }

    private func fetch(from node: NodeName, after: UInt64) async -> FetchDamageReply? {
        try? await bus.request(
            .fetchDamage, FetchDamageRequest(after: after, limit: Self.pageSize), to: node, timeout: Self.timeout,
            answer: FetchDamageReply.self
        ).message
    }
}
