import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Ring
import Synchronization
import Wire

/// Drops old tombstones of which every replica of their key holds the same, from what is durable there.
///
/// It keeps nothing: a tombstone that some replica has not dropped is found again, or brought back to the others by the
/// comparison of replicas, and goes in a later round.
final class TombstonePurge: Sendable {
    struct Settings: Sendable {
        /// Younger tombstones stay.
        var grace: Duration
        var concurrency: Int
    }

    /// Encoded as JSON for the administrator.
    struct Status: Codable, Sendable, Equatable {
        /// Of the last round: tombstones that are old enough, and those that not all replicas have, or have dropped.
        var looked = 0
        var waiting = 0
        /// Keys since the start.
        var purged = 0
        var lastError = ""
    }

    private static let batchMax = 256
    private static let pageSize: UInt32 = 1000
    private static let timeout = Duration.seconds(10)

    private let bus: any RequestSending
    private let cluster: any ClusterViewing
    private let settings: Settings
    private let metrics: TombstoneMetrics
    private let logger: Logger
    private let state = Mutex(Status())

    init(
        bus: any RequestSending, cluster: any ClusterViewing, settings: Settings, metrics: TombstoneMetrics,
        logger: Logger
    ) {
        self.bus = bus
        self.cluster = cluster
        self.settings = settings
        self.metrics = metrics
        self.logger = logger
    }

    var status: Status { state.withLock { $0 } }

    /// Goes once through the old tombstones of all nodes. One at a time: the caller sees to that.
    /// - Parameter age: younger ones stay; nil: as the settings say.
    func round(_ handle: TaskHandle = TaskHandle(), age: Duration? = nil) async throws -> TaskOutcome {
        guard let ring = cluster.view.ring else { return .unproved("there is no ring yet") }
        let before = status.purged
        let leftOut = try await purgeAll(ring, age ?? settings.grace, handle)
        let status = self.status
        metrics.waiting.set(status.waiting)
        var text = "\(status.purged - before) tombstones purged, \(status.waiting) wait for some replica"
        if leftOut > 0 { text += ", \(leftOut) partitions move or a replica of theirs does not answer" }
        return status.waiting == 0 && leftOut == 0 ? .proved(text) : .unproved(text)
    }

    /// Returns how many partitions had to be left out. When a node does not answer the walk begins again without it.
    private func purgeAll(_ ring: RingTable, _ age: Duration, _ handle: TaskHandle) async throws -> Int {
        var silent: Set<NodeName> = []
        while true {
            let proof = TombstoneProof(ring, silent: silent)
            state.withLock { state in
                state.looked = 0
                state.waiting = 0
            }
            do {
                try await walk(proof, ring, age, handle)
                return proof.leftOut
            } catch let failure as NoAnswer {
                silent.insert(failure.node)
                state.withLock { $0.lastError = "\(failure.node): \(failure.error)" }
            }
        }
    }

    private struct NoAnswer: Error {
        var node: NodeName
        var error: BusError
    }

    private func walk(
        _ proof: TombstoneProof, _ ring: RingTable, _ age: Duration, _ handle: TaskHandle
    ) async throws {
        var merge = MoveMerge<Model.RegisterName>(sources: proof.nodes.count)
        var cursors: [[UInt8]] = Array(repeating: [], count: proof.nodes.count)
        var batch: [NodeName: [Tombstone]] = [:]
        var keys = 0
        while true {
            switch merge.next() {
            case .need(let source):
                try await handle.admit(objects: 0)
                let node = proof.nodes[source]
                let page = try await page(proof.partitions(at: node), node, age, cursors[source])
                cursors[source] = page.cursor
                try merge.add(page.items, isLast: page.cursor.isEmpty, to: source)
            case .key(let name, let tags):
                state.withLock { $0.looked += 1 }
                handle.update { $0.done += 1 }
                let partition = ring.partition(of: name)
                guard let tag = proof.proved(partition, tags) else {
                    state.withLock { $0.waiting += 1 }
                    continue
                }
                let tombstone = Tombstone(name: .init(name), tag: BallotNumber(tag))
                for node in proof.partitions[partition] ?? [] { batch[node, default: []].append(tombstone) }
                keys += 1
                guard keys >= Self.batchMax else { continue }
                try await purge(batch, keys, ring, handle)
                (batch, keys) = ([:], 0)
            case .end: return try await purge(batch, keys, ring, handle)
            }
        }
    }

    // MARK: - Requests

    private func page(
        _ partitions: [Int], _ node: NodeName, _ age: Duration, _ cursor: [UInt8]
    ) async throws(NoAnswer) -> Page<Model.RegisterName> {
        let request = FetchTombstonesRequest(
            partitions: partitions.map(UInt32.init), after: cursor, limit: Self.pageSize,
            ageMilliseconds: Int64(age / .milliseconds(1)))
        let reply: FetchTombstonesReply
        do throws(BusError) {
            reply = try await bus.request(
                .fetchTombstones, request, to: node, timeout: Self.timeout, answer: FetchTombstonesReply.self
            ).message
        } catch { throw NoAnswer(node: node, error: error) }
        guard reply.cursor.isEmpty || reply.cursor != cursor else {
            throw NoAnswer(node: node, error: BusError(.malformed, "the list of tombstones does not get on"))
        }
        let items = reply.tombstones.compactMap { item in
            Model.RegisterName(item.name).map {
                PartitionMerge<Model.RegisterName>.Item(key: $0, tag: Ballot(item.tag))
            }
        }
        return Page(items: items, cursor: reply.cursor)
    }

    /// At the replicas of the ring by which they were found: with a newer one nodes refuse.
    private func purge(
        _ batch: [NodeName: [Tombstone]], _ keys: Int, _ ring: RingTable, _ handle: TaskHandle
    ) async throws {
        guard keys > 0 else { return }
        try await handle.admit(objects: keys)
        let bus = self.bus
        let work = batch.sorted { $0.key < $1.key }
        let answers = await boundedResults(work, concurrency: settings.concurrency) {
            (node, tombstones) async throws(AccessError) -> Int in
            do throws(BusError) {
                let reply = try await bus.request(
                    .purge, PurgeRequest(tombstones: tombstones), to: node, timeout: Self.timeout,
                    context: MessageContext(epoch: ring.epoch), answer: PurgeReply.self)
                return Int(reply.message.purged)
            } catch { throw .noQuorum("\(node): \(error)") }
        }
        var missing = 0
        for (work, answer) in zip(work, answers) {
            switch answer {
            case .success(let purged):
                metrics.purged.increment(by: purged)
                handle.update { $0.objects += UInt64(purged) }
                missing = max(missing, work.value.count - purged)
            case .failure(let error):
                missing = max(missing, work.value.count)
                handle.update { $0.failures += 1 }
                state.withLock { $0.lastError = "\(error)" }
                logger.info("tombstones are not purged everywhere", metadata: ["error": "\(error)"])
            }
        }
        state.withLock { [missing] state in
            state.purged += max(0, keys - missing)
            state.waiting += min(keys, missing)
        }
    }
}
