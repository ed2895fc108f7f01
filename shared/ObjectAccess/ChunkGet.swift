import MessageBus
import Model
import NIOCore
import Wire

/// Bytes of a chunk and, when they were asked for, its owner and time.
public struct StoredChunk: Sendable {
    public var bytes: ByteBuffer
    /// The register that is to refer to the chunk. nil: not asked for, or not known.
    public var owner: Model.RegisterName?
    /// When it was first written, milliseconds since 1970. 0: not asked for, or not known.
    public var writtenMilliseconds: Int64
}

/// Gets bytes of one chunk from one of its replicas.
struct ChunkGet: Sendable {
    let environment: AccessEnvironment
    let request: GetChunkRequest
    let context: MessageContext

    func run(from nodes: [NodeName]) async -> Result<StoredChunk, AccessError> {
        let options = environment.options
        // A chunk takes longer than a small answer: some patience before its replica counts as slow.
        let message = HedgedFetch<StoredChunk>.Request(
            type: .getChunk, body: request.encoded(), timeout: options.chunkTimeout, patience: options.slowAfter * 3,
            context: context)
        return await withUnsafeContinuation { continuation in
            HedgedFetch(
                environment, environment.chunkHedging, message, from: nodes, check: checked
            ) { continuation.resume(returning: $0) }.run()
        }
    }

    private func checked(_ reply: BusReply) -> Result<StoredChunk?, BusError> {
        Result<BusReply, BusError>.success(reply).decoded(as: GetChunkReply.self).flatMap { message in
            let bytes = reply.payload.first ?? ByteBuffer()
            let left = message.size >= request.offset ? message.size - request.offset : 0
            let expected = request.length == 0 ? left : min(left, request.length)
            guard bytes.readableBytes == expected, message.crc32c.matches(bytes) else {
                return .failure(BusError(.malformed, "wrong bytes of a chunk from \(reply.sender)"))
            }
            return .success(
                StoredChunk(
                    bytes: bytes, owner: Model.RegisterName(message.owner),
                    writtenMilliseconds: message.writtenMilliseconds))
        }
    }
}
