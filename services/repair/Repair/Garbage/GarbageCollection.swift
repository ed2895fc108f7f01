import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Observability
import Synchronization
import Wire

/// Finds chunks that no register refers to or ever will, and takes them back: what gateways left that died in the middle of
/// an upload, and what releases did not tell of. Walks over the chunks of every node.
final class GarbageCollection: Sendable {
    struct Settings: Sendable {
        var age: Duration
        var grace: Duration
        var concurrency: Int
    }

    /// Encoded as JSON for the administrator.
    struct Status: Codable, Sendable, Equatable {
        /// Blobs whose owners were asked, in the last walk.
        var blobsChecked = 0
        /// Found without a reference for the first time, or not long enough ago.
        var blobsSuspected = 0
        /// Of the last walk: what could not be asked, or not be dropped everywhere.
        var failures = 0
        /// Since the start.
        var blobsDropped = 0
        var chunksDropped = 0
        var lastError = ""
    }

    /// Neighbouring chunks of one blob on one node.
    private struct Run: Sendable {
        var blob: BlobID
        var chunks: ClosedRange<UInt32>
    }

    private enum Finding: Sendable {
        case young, referenced, suspected, dropped(ChunkDropOutcome)
    }

    private static let batchMax = 64

    private let reader: PartitionReader
    private let cluster: any ClusterViewing
    private let chunks: ChunkClient
    private let reclaiming: ChunkReclaiming
    private let settings: Settings
    private let dropped: Counter
    private let logger: Logger
    private let state: Mutex<(status: Status, watch: GarbageWatch)>
    private let origin = ContinuousClock.now

    init(
        registers: RegisterClient, bus: any RequestSending, cluster: any ClusterViewing, settings: Settings,
        metrics: MetricsRegistry, logger: Logger
    ) {
        reader = PartitionReader(bus: bus)
        self.cluster = cluster
        self.settings = settings
        self.logger = logger
        chunks = ChunkClient(registers)
        reclaiming = ChunkReclaiming(registers)
        dropped = metrics.counter(
            "martlet_repair_garbage_chunks_dropped_total",
            help: "Chunks dropped because nothing ever referred to them, over all replicas")
        state = Mutex((Status(), GarbageWatch(age: settings.age, grace: settings.grace)))
    }

    var status: Status { state.withLock { $0.status } }

    /// One walk over all nodes. One at a time: the caller sees to that. Returns how soon another one is worthwhile; nil:
    /// nothing is suspected.
    func round(_ handle: TaskHandle = TaskHandle()) async throws -> Duration? {
        guard let ring = cluster.view.ring else { return nil }
        state.withLock { state in
            state.status.blobsChecked = 0
            state.status.blobsSuspected = 0
            state.status.failures = 0
            state.watch.begin()
        }
        for node in ring.nodes {
            handle.update { $0.note = "chunks of \(node)" }
            do { try await walk(node, Array(0..<ring.partitionCount), handle) } catch let error as BusError {
                // The same chunks are on other nodes as well.
                fail(error, handle)
            }
        }
        return state.withLock { state in
            if state.status.failures == 0 { state.watch.end() }
            return state.watch.suspectCount > 0 ? settings.grace : nil
        }
    }

    private func walk(_ node: NodeName, _ partitions: [Int], _ handle: TaskHandle) async throws {
        var cursor: [UInt8] = []
        var runs: [Run] = []
        repeat {
            try await handle.admit(objects: 0)
            let page = try await reader.chunks(partitions, at: node, after: cursor)
            cursor = page.cursor
            for item in page.items { Self.add(item.key, to: &runs) }
            // The last one may go on in the next page.
            let complete = cursor.isEmpty ? runs.count : max(runs.count - 1, 0)
            for start in stride(from: 0, to: complete, by: Self.batchMax) {
                try await judge(Array(runs[start..<min(start + Self.batchMax, complete)]), at: node, handle)
            }
            runs.removeFirst(complete)
        } while !cursor.isEmpty
    }

    private static func add(_ chunk: ChunkName, to runs: inout [Run]) {
        if let last = runs.indices.last, runs[last].blob == chunk.blob, chunk.index > runs[last].chunks.upperBound {
            runs[last].chunks = runs[last].chunks.lowerBound...chunk.index
        } else {
            runs.append(Run(blob: chunk.blob, chunks: chunk.index...chunk.index))
        }
    }

    private func judge(_ runs: [Run], at node: NodeName, _ handle: TaskHandle) async throws {
        try await handle.admit(objects: runs.count)
        let findings = await boundedResults(runs, concurrency: settings.concurrency) {
            (run) async throws(AccessError) in try await self.judge(run, at: node)
        }
        for (run, finding) in zip(runs, findings) { note(finding, run, handle) }
    }

    private func judge(_ run: Run, at node: NodeName) async throws(AccessError) -> Finding {
        let name = ChunkName(blob: run.blob, index: run.chunks.lowerBound)
        guard let origin = try await chunks.origin(of: name, at: node), let owner = origin.owner,
            state.withLock({
                $0.watch.isOld(
                    writtenMilliseconds: origin.writtenMilliseconds, nowMilliseconds: WallClock.milliseconds)
            })
        else { return .young }
        if try await reclaiming.isReferenced(run.blob, by: owner) {
            state.withLock { $0.watch.isReferenced(run.blob) }
            return .referenced
        }
        let now = self.origin.duration(to: .now)
        guard state.withLock({ $0.watch.isUnreferenced(run.blob, now: now) }) else { return .suspected }
        // The indexes between belong to the blob too.
        let range = run.chunks.lowerBound..<run.chunks.upperBound + 1
        return .dropped(try await chunks.drop(run.blob, chunks: range))
    }

    private func note(_ finding: Result<Finding, AccessError>, _ run: Run, _ handle: TaskHandle) {
        handle.update { $0.done += 1 }
        state.withLock { state in
            state.status.blobsChecked += 1
            switch finding {
            case .success(.suspected): state.status.blobsSuspected += 1
            case .success(.dropped(let outcome)):
                state.status.blobsDropped += 1
                state.status.chunksDropped += outcome.dropped
            default: break
            }
        }
        switch finding {
        case .success(.dropped(let outcome)):
            dropped.increment(by: outcome.dropped)
            handle.update { $0.objects += UInt64(outcome.dropped) }
            logger.info(
                "content without an object was dropped",
                metadata: ["blob": "\(run.blob)", "chunks": "\(outcome.dropped)"])
            if !outcome.isComplete {
                fail(AccessError.noQuorum("no answer from \(outcome.missed.map(\.rawValue).sorted())"), handle)
            }
        case .failure(let error): fail(error, handle)
        default: break
        }
    }

    private func fail(_ error: any Error, _ handle: TaskHandle) {
        handle.update { $0.failures += 1 }
        state.withLock { state in
            state.status.failures += 1
            state.status.lastError = "\(error)"
        }
    }
}
