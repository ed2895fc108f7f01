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
            type: .getChunk, body: body, timeout: options.chunkTimeout, patience: options.slowAfter * 3,
            context: context)
        return await withUnsafeContinuation { continuation in
            HedgedFetch(
                environment, environment.chunkHedging, message, from: nodes, check: check
            ) { continuation.resume(returning: $0) }.run()
        }
    }

    private func body(to node: NodeName) -> [UInt8] {
        guard !request.withOwner, environment.shortCircuit?.isOpen(to: node) == true else { return request.encoded() }
        var request = request
        request.inPlace = true
        return request.encoded()
    }

    private func check(_ reply: BusReply, _ found: @escaping @Sendable (HedgedFetch<StoredChunk>.Found) -> Void) {
        switch Result<BusReply, BusError>.success(reply).decoded(as: GetChunkReply.self) {
        case .success(let message):
            if let place = message.place { return read(place, of: reply.sender, message, found) }
            found(checked(message, reply))
        case .failure(let error): found(.failure(error))
        }
    }

    /// Where it stands; if that fails, the same node is asked to send it.
    private func read(
        _ place: LogPlace, of node: NodeName, _ message: GetChunkReply,
        _ found: @escaping @Sendable (HedgedFetch<StoredChunk>.Found) -> Void
    ) {
        guard let reads = environment.shortCircuit,
            let place = ContentPlace(place, of: node, checksum: message.crc32c)
        else { return send(from: node, found) }
        reads.read(place) { whole in
            guard let whole, let part = part(of: whole) else { return send(from: node, found) }
            found(.success(StoredChunk(bytes: part, writtenMilliseconds: 0)))
        }
    }

    private func part(of whole: ByteBuffer) -> ByteBuffer? {
        let offset = Int(request.offset)
        let left = max(0, whole.readableBytes - offset)
        let length = request.length == 0 ? left : min(left, Int(request.length))
        return length == 0 ? ByteBuffer() : whole.getSlice(at: whole.readerIndex + offset, length: length)
    }

    private func send(from node: NodeName, _ found: @escaping @Sendable (HedgedFetch<StoredChunk>.Found) -> Void) {
        environment.send(
            .getChunk, body: request.encoded(), to: node, timeout: environment.options.chunkTimeout, context: context
        ) { result in
            switch result {
            case .success(let reply):
                found(
                    Result<BusReply, BusError>.success(reply).decoded(as: GetChunkReply.self)
                        .flatMap { checked($0, reply) })
            case .failure(let error): found(.failure(error))
            }
        }
    }

    private func checked(_ message: GetChunkReply, _ reply: BusReply) -> HedgedFetch<StoredChunk>.Found {
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
