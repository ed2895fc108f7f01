import Checksums
import MessageBus
import Model
import NIOCore
import Register
import Wire

/// Writes and reads the chunks of large content. A chunk is immutable: there are no ballots, and repeating is harmless.
public final class ChunkClient: Sendable {
    private let environment: AccessEnvironment

    private static let putAttemptsMax = 3

    /// Shares the bus, the hints and what is known of slow peers.
    public init(_ registers: RegisterClient) { environment = registers.environment }

    /// Returns when a write quorum of the chunk's replicas has it on disk. Who misses it is noted in hints.
    public func put(
        _ name: ChunkName, _ bytes: ByteBuffer, context: MessageContext = .init()
    ) async throws(AccessError) {
        precondition(bytes.readableBytes <= Limits.chunkSize, "a chunk has a bounded size")
        let start = ContinuousClock.now
        defer { environment.metrics.took(.chunkPut, since: start) }
        let body = PutChunkRequest(blob: name.blob.bytes, index: name.index, crc32c: crc32c(bytes)).encoded()
        for attempt in 1... {
            let placement = try Placement(environment.cluster.view, name)
            let put = ChunkPut(
                environment, name, body: body, bytes: bytes, rule: placement.rule(),
                context: context.at(placement.epoch))
            guard let failures = await put.run() else { return }
            guard attempt < Self.putAttemptsMax, !Task.isCancelled else {
                environment.metrics.failed(.chunkPut)
                throw failures.error
            }
            if failures.has(.staleEpoch) { try? await environment.cluster.refresh() }
            await environment.timers.sleep(.milliseconds(50 * attempt))
        }
    }

    /// Bytes of a chunk, from one replica that has it, checked. `length` nil: to the end.
    /// ``AccessError/absent`` when every replica answered that it has no such chunk.
    public func get(
        _ name: ChunkName, offset: Int = 0, length: Int? = nil, context: MessageContext = .init()
    ) async throws(AccessError) -> ByteBuffer {
        let placement = try Placement(environment.cluster.view, name)
        return try await get(name, offset: offset, length: length, from: placement.rule().members, context)
    }

    /// As ``get(_:offset:length:context:)``, from these nodes alone.
    public func get(_ name: ChunkName, from nodes: [NodeName]) async throws(AccessError) -> ByteBuffer {
        try await get(name, offset: 0, length: nil, from: nodes, .init())
    }

    private func get(
        _ name: ChunkName, offset: Int, length: Int?, from nodes: [NodeName], _ context: MessageContext
    ) async throws(AccessError) -> ByteBuffer {
        guard let from = UInt32(exactly: offset), let count = UInt32(exactly: length ?? 0) else { throw .absent }
        if length == 0 { return ByteBuffer() }
        let start = ContinuousClock.now
        defer { environment.metrics.took(.chunkGet, since: start) }
        let request = GetChunkRequest(blob: name.blob.bytes, index: name.index, offset: from, length: count)
        let get = ChunkGet(environment, request, nodes: environment.health.ordered(nodes), context: context)
        switch await get.run() {
        case .success(let bytes): return bytes
        case .failure(let error):
            if error.isQuorumFailure { environment.metrics.failed(.chunkGet) }
            throw error
        }
    }
}
