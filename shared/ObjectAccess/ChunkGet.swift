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

/// Gets bytes of one chunk: where it stands, if that is known, or from one of its replicas.
struct ChunkGet: Sendable {
    private typealias Found = HedgedFetch<StoredChunk>.Found

    let environment: AccessEnvironment
    let name: ChunkName
    /// As it is sent to a node that must send the content.
    let request: GetChunkRequest
    let ahead: PlacesAhead?
    let context: MessageContext

    func run(from nodes: [NodeName]) async -> Result<StoredChunk, AccessError> {
        if let bytes = await found() { return .success(StoredChunk(bytes: bytes, writtenMilliseconds: 0)) }
        let options = environment.options
        let asking = ahead?.asking(behind: name) ?? 0
        // A chunk takes longer than a small answer: some patience before its replica counts as slow.
        let message = HedgedFetch<StoredChunk>.Request(
            type: .getChunk, body: { body(to: $0, asking) }, timeout: options.chunkTimeout,
            patience: options.slowAfter * 3, context: context)
        return await withUnsafeContinuation { continuation in
            HedgedFetch(
                environment, environment.chunkHedging, message, from: nodes, check: check
            ) { continuation.resume(returning: $0) }.run()
        }
    }

    /// The bytes, if the place is known and this machine has them in memory. Never waits.
    func atHand() -> ByteBuffer? {
        guard let (reads, place) = known, let whole = reads.atHand(place) else { return nil }
        return part(of: whole)
    }

    private var known: (reads: ShortCircuitReads, place: ContentPlace)? {
        guard !request.withOwner, let reads = environment.shortCircuit, let place = reads.known.place(of: name),
            reads.isOpen(to: place.node)
        else { return nil }
        return (reads, place)
    }

    /// nil: its place is not known, or it cannot be read there any more.
    private func found() async -> ByteBuffer? {
        guard let (reads, place) = known else { return nil }
        let whole = await withUnsafeContinuation { continuation in
            reads.read(place, isRemembered: true) { continuation.resume(returning: $0) }
        }
        if whole == nil { reads.known.forget(name) }
        return whole.flatMap(part)
    }

    private func body(to node: NodeName, _ asking: UInt32) -> [UInt8] {
        guard !request.withOwner, environment.shortCircuit?.isOpen(to: node) == true else { return request.encoded() }
        var request = request
        request.inPlace = true
        request.ahead = asking
        return request.encoded()
    }

    private func check(_ reply: BusReply, _ found: @escaping @Sendable (Found) -> Void) {
        switch Self.decoded(reply) {
        case .success(let message):
            environment.shortCircuit?.known.add(message.ahead, behind: name, at: reply.sender)
            guard let place = message.place else { return found(checked(message, reply)) }
            read(place, of: reply.sender, message, found)
        case .failure(let error): found(.failure(error))
        }
    }

    private static func decoded(_ reply: BusReply) -> Result<GetChunkReply, BusError> {
        Result<BusReply, BusError>.success(reply).decoded(as: GetChunkReply.self)
    }

    /// Where it stands; if that fails, the same node is asked to send it.
    private func read(
        _ place: LogPlace, of node: NodeName, _ message: GetChunkReply, _ found: @escaping @Sendable (Found) -> Void
    ) {
        guard let reads = environment.shortCircuit,
            let place = ContentPlace(place, of: node, checksum: message.crc32c)
        else { return send(from: node, found) }
        reads.read(place) { whole in
            guard let bytes = whole.flatMap(part) else { return send(from: node, found) }
            reads.known.add(place, of: name)
            found(.success(StoredChunk(bytes: bytes, writtenMilliseconds: 0)))
        }
    }

    private func part(of whole: ByteBuffer) -> ByteBuffer? {
        let offset = Int(request.offset)
        let left = max(0, whole.readableBytes - offset)
        let length = request.length == 0 ? left : min(left, Int(request.length))
        return length == 0 ? ByteBuffer() : whole.getSlice(at: whole.readerIndex + offset, length: length)
    }

    private func send(from node: NodeName, _ found: @escaping @Sendable (Found) -> Void) {
        environment.send(
            .getChunk, body: request.encoded(), to: node, timeout: environment.options.chunkTimeout, context: context
        ) { result in
            found(result.flatMap { reply in Self.decoded(reply).flatMap { checked($0, reply) } })
        }
    }

    private func checked(_ message: GetChunkReply, _ reply: BusReply) -> Found {
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
