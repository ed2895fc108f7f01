import Model
import NIOCore
import Wire

/// The answer of a peer.
public struct BusReply: Sendable {
    /// Ring epoch of the peer.
    public var epoch: UInt64
    public var body: ByteBuffer
    public var payload: [ByteBuffer]
    public var sender: NodeName

    public init(epoch: UInt64 = 0, body: ByteBuffer, payload: [ByteBuffer] = [], sender: NodeName) {
        self.epoch = epoch
        self.body = body
        self.payload = payload
        self.sender = sender
    }
}

/// What a request carries besides its message.
public struct MessageContext: Sendable {
    /// Ring epoch that the request was planned with; 0: the epoch that the bus knows when it sends.
    public var epoch: UInt64
    /// Id of the client's request, for log lines.
    public var requestID: String
    /// W3C trace context.
    public var traceparent: String

    public init(epoch: UInt64 = 0, requestID: String = "", traceparent: String = "") {
        self.epoch = epoch
        self.requestID = requestID
        self.traceparent = traceparent
    }
}

/// Sends requests to peers by name. The bus, or a simulation of it.
public protocol RequestSending: Sendable {
    /// `completion` is called exactly once, on a bus thread: it must not block.
    func send(
        _ type: MessageType, body: [UInt8], payload: [ByteBuffer], to peer: NodeName, timeout: Duration,
        context: MessageContext, completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void)
}

extension RequestSending {
    /// Sends a message and waits for the decoded answer.
    public func request<Q: WireMessage, A: WireMessage>(
        _ type: MessageType, _ message: Q, payload: [ByteBuffer] = [], to peer: NodeName, timeout: Duration,
        context: MessageContext = .init(), answer: A.Type
    ) async throws(BusError) -> (message: A, payload: [ByteBuffer]) {
        let result: Result<BusReply, BusError> = await withUnsafeContinuation { continuation in
            send(
                type, body: message.encoded(), payload: payload, to: peer, timeout: timeout, context: context,
                completion: { continuation.resume(returning: $0) })
        }
        let reply = try result.get()
        do {
            return (try A(decoding: reply.body), reply.payload)
        } catch {
            throw BusError(.malformed, "\(peer) answered \(type) with a \(error)", epoch: reply.epoch)
        }
    }
}
