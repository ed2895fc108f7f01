import Checksums
import MessageBus
import Model
import NIOCore
import Register
import Wire

/// Writes, reads and drops the chunks of large content. A chunk is immutable: there are no ballots, and repeating is
/// harmless.
public final class ChunkClient: Sendable {
    let environment: AccessEnvironment

    private static let putAttemptsMax = 3
    /// Attempts beyond these that the ring has changed under.
    private static let ringChangesMax = 8

    /// Shares the bus, the hints and what is known of slow peers.
    public init(_ registers: RegisterClient) { environment = registers.environment }

    /// Returns when a write quorum of the chunk's replicas has it on disk. Who misses it is noted in hints.
    /// - Parameter owner: the register that is to refer to the chunk; of a part, the register of its upload. Whoever finds
    ///   the chunk unreferenced later looks there.
    public func put(
        _ name: ChunkName, _ bytes: ByteBuffer, owner: Model.RegisterName, context: MessageContext = .init()
    ) async throws(AccessError) {
        precondition(bytes.readableBytes <= Limits.chunkSize, "a chunk has a bounded size")
        let start = ContinuousClock.now
        defer { environment.metrics.took(.chunkPut, since: start) }
        let body = PutChunkRequest(
            blob: name.blob.bytes, index: name.index, crc32c: crc32c(bytes), owner: Wire.RegisterName(owner)
        ).encoded()
        try await environment.flow.whileSending(bytes.readableBytes) { () async throws(AccessError) in
            try await send(name, body, bytes, context)
        }
    }

    /// All attempts.
    private func send(
        _ name: ChunkName, _ body: [UInt8], _ bytes: ByteBuffer, _ context: MessageContext
    ) async throws(AccessError) {
        let start = ContinuousClock.now
        var (attempt, ringChanges) = (1, 0)
        while true {
            let placement = try Placement(environment.cluster.view, name)
            let put = ChunkPut(
                environment, name, body: body, bytes: bytes, rule: placement.rule(),
                context: context.at(placement.epoch))
            guard let failures = await put.run() else { return }
            let isInTime = .now < start + environment.options.operationTimeout
            let isOutdated = failures.has(.staleEpoch) && ringChanges < Self.ringChangesMax
            guard isOutdated || attempt < Self.putAttemptsMax, isInTime, !failures.isForFullDisks, !Task.isCancelled
            else {
                environment.metrics.failed(.chunkPut)
                throw failures.error
            }
            if isOutdated {
                ringChanges += 1
                try? await environment.cluster.refresh()
            } else {
                await environment.timers.sleep(.milliseconds(50 * attempt))
                attempt += 1
            }
        }
    }

    /// Bytes of a chunk, from one replica that has it, checked. `length` nil: to the end.
    /// ``AccessError/absent`` when every replica answered that it has no such chunk.
    /// - Parameter ahead: shared by all reads of some content.
    public func get(
        _ name: ChunkName, offset: Int = 0, length: Int? = nil, ahead: PlacesAhead? = nil,
        context: MessageContext = .init()
    ) async throws(AccessError) -> ByteBuffer {
        let placement = try Placement(environment.cluster.view, name)
        guard let from = UInt32(exactly: offset), let count = UInt32(exactly: length ?? 0) else { throw .absent }
        if length == 0 { return ByteBuffer() }
        let get = get(name, from, count, ahead, context)
        return try await run(get, from: placement.rule().members).bytes
    }

    /// The same if its place is known and this machine has it in memory; nil: it must be got. Never waits.
    public func atHand(_ name: ChunkName, offset: Int, length: Int) -> ByteBuffer? {
        guard length > 0, let from = UInt32(exactly: offset), let count = UInt32(exactly: length) else { return nil }
        let start = ContinuousClock.now
        guard let bytes = get(name, from, count, nil, .init()).atHand() else { return nil }
        environment.metrics.took(.chunkGet, since: start)
        return bytes
    }

    /// Whether a node has told lately where a chunk stands on this machine.
    public func knowsPlace(of name: ChunkName) -> Bool { environment.shortCircuit?.known.place(of: name) != nil }

    /// Whether the node that a chunk is asked of may tell where it and those behind it stand.
    public func mayBeTold(of name: ChunkName) -> Bool {
        guard let reads = environment.shortCircuit, let placement = try? Placement(environment.cluster.view, name)
        else {
            return false
        }
        return environment.health.ordered(placement.rule().members).first.map(reads.isOpen) == true
    }

    private func get(
        _ name: ChunkName, _ offset: UInt32, _ length: UInt32, _ ahead: PlacesAhead?, _ context: MessageContext
    ) -> ChunkGet {
        let request = GetChunkRequest(blob: name.blob.bytes, index: name.index, offset: offset, length: length)
        return ChunkGet(environment: environment, name: name, request: request, ahead: ahead, context: context)
    }

    /// A whole chunk with what is noted beside it, from these nodes alone.
    public func get(_ name: ChunkName, from nodes: [NodeName]) async throws(AccessError) -> StoredChunk {
        let request = GetChunkRequest(blob: name.blob.bytes, index: name.index, withOwner: true)
        let get = ChunkGet(environment: environment, name: name, request: request, ahead: nil, context: .init())
        return try await run(get, from: nodes)
    }

    /// Who owns a chunk and since when, as one node has it noted. nil: the node does not have the chunk, or cannot read it.
    public func origin(
        of name: ChunkName, at node: NodeName
    ) async throws(AccessError) -> (owner: Model.RegisterName?, writtenMilliseconds: Int64)? {
        let request = GetChunkRequest(blob: name.blob.bytes, index: name.index, probe: true, withOwner: true)
        do throws(BusError) {
            let reply = try await environment.bus.request(
                .getChunk, request, to: node, timeout: environment.options.chunkTimeout, answer: GetChunkReply.self
            ).message
            return (Model.RegisterName(reply.owner), reply.writtenMilliseconds)
        } catch {
            if error.status == .notFound || error.status == .abstained { return nil }
            throw AccessError(error)
        }
    }

    private func run(_ get: ChunkGet, from nodes: [NodeName]) async throws(AccessError) -> StoredChunk {
        let start = ContinuousClock.now
        defer { environment.metrics.took(.chunkGet, since: start) }
        switch await get.run(from: nodes) {
        case .success(let chunk): return chunk
        case .failure(let error):
            if error.isQuorumFailure { environment.metrics.failed(.chunkGet) }
            throw error
        }
    }
}
