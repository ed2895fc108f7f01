import MessageBus
import Model
import Wire

/// What became of ``ChunkClient/drop(_:chunks:context:)``.
public struct ChunkDropOutcome: Sendable, Equatable {
    /// Replicas that did not acknowledge everything that was asked of them: they may keep chunks.
    public var missed: Set<NodeName> = []
    /// Chunks that were there, over all replicas.
    public var dropped = 0

    /// No replica has any of the chunks, nor will ever take one of them again.
    public var isComplete: Bool { missed.isEmpty }

    mutating func add(_ other: ChunkDropOutcome) {
        missed.formUnion(other.missed)
        dropped += other.dropped
    }
}

extension ChunkClient {
    /// Chunks that one message names.
    static let dropBatchMax: UInt32 = 1024
    private static let dropsAtOnce = 16

    /// Tells every replica of every one of these chunks that nothing refers, or ever will refer, to them.
    ///
    /// Repeating it is harmless. Replicas that are out of reach are told of in the outcome; a replica that is not of the
    /// chunk's present set is not asked.
    /// - Throws: ``AccessError/notReady(_:)`` without a ring.
    public func drop(
        _ blob: BlobID, chunks: Range<UInt32>, context: MessageContext = .init()
    ) async throws(AccessError) -> ChunkDropOutcome {
        guard environment.cluster.view.ring != nil else { throw .notReady("the cluster has no ring yet") }
        var outcome = ChunkDropOutcome()
        var first = chunks.lowerBound
        while first < chunks.upperBound {
            let end = chunks.upperBound - first > Self.dropBatchMax ? first + Self.dropBatchMax : chunks.upperBound
            outcome.add(await dropBatch(blob, first..<end, context))
            first = end
        }
        return outcome
    }

    private func dropBatch(
        _ blob: BlobID, _ chunks: Range<UInt32>, _ context: MessageContext
    ) async -> ChunkDropOutcome {
        var outcome = await drop(runs(of: blob, chunks), blob, context)
        guard !outcome.isComplete else { return outcome }
        let epoch = environment.cluster.view.ring?.epoch
        try? await environment.cluster.refresh()
        // After a change of the ring others may have the chunks.
        let hasChanged = environment.cluster.view.ring?.epoch != epoch
        let again = runs(of: blob, chunks).filter { hasChanged || outcome.missed.contains($0.node) }
        let repeated = await drop(again, blob, context)
        outcome.missed = repeated.missed
        outcome.dropped += repeated.dropped
        return outcome
    }

    private func drop(_ runs: [ChunkRun], _ blob: BlobID, _ context: MessageContext) async -> ChunkDropOutcome {
        let results = await boundedResults(runs, concurrency: Self.dropsAtOnce) {
            (run) async throws(AccessError) -> Int in try await self.drop(blob, run, context)
        }
        var outcome = ChunkDropOutcome()
        for (run, result) in zip(runs, results) {
            switch result {
            case .success(let count): outcome.dropped += count
            case .failure: outcome.missed.insert(run.node)
            }
        }
        return outcome
    }

    private func drop(_ blob: BlobID, _ run: ChunkRun, _ context: MessageContext) async throws(AccessError) -> Int {
        do throws(BusError) {
            let request = DropChunksRequest(
                blob: blob.bytes, first: run.chunks.lowerBound, count: UInt32(run.chunks.count))
            let reply = try await environment.bus.request(
                .dropChunks, request, to: run.node, timeout: environment.options.chunkTimeout,
                context: context.at(environment.cluster.view.ring?.epoch ?? 0), answer: DropChunksReply.self)
            return Int(reply.message.dropped)
        } catch {
            throw AccessError(error)
        }
    }

    /// Who has which of the chunks: each replica with the consecutive chunks that it may hold.
    private func runs(of blob: BlobID, _ chunks: Range<UInt32>) -> [ChunkRun] {
        var open: [NodeName: Range<UInt32>] = [:]
        var runs: [ChunkRun] = []
        for index in chunks {
            for node in environment.cluster.replicas(of: ChunkName(blob: blob, index: index)) {
                if let run = open[node], run.upperBound != index { runs.append(ChunkRun(node: node, chunks: run)) }
                let start = open[node].flatMap { $0.upperBound == index ? $0.lowerBound : nil } ?? index
                open[node] = start..<(index + 1)
            }
        }
        return runs + open.map { ChunkRun(node: $0.key, chunks: $0.value) }
    }
}

private struct ChunkRun: Sendable {
    let node: NodeName
    let chunks: Range<UInt32>
}
