import Model
import NIOCore
import Wire

/// A request that passed authentication, the role table and its deadline.
public struct IncomingRequest: Sendable {
    public var type: MessageType
    public var sender: NodeName
    /// Authenticated by the sender's key; `.roleUnspecified` on the enrolment socket.
    public var role: MemberRole
    /// Ring epoch of the sender; 0: it does not know one yet.
    public var epoch: UInt64
    public var deadline: ContinuousClock.Instant
    public var requestID: String
    public var traceparent: String
    public var body: ByteBuffer
    public var payload: [ByteBuffer]

    public init(
        type: MessageType, sender: NodeName, role: MemberRole, epoch: UInt64 = 0, deadline: ContinuousClock.Instant,
        requestID: String = "", traceparent: String = "", body: ByteBuffer = ByteBuffer(), payload: [ByteBuffer] = []
    ) {
        self.type = type
        self.sender = sender
        self.role = role
        self.epoch = epoch
        self.deadline = deadline
        self.requestID = requestID
        self.traceparent = traceparent
        self.body = body
        self.payload = payload
    }

    /// The body as a message; throws ``BusError`` `malformed`.
    public func decoded<M: WireMessage>(_ type: M.Type) throws(BusError) -> M {
        do { return try M(decoding: body) } catch { throw BusError(.malformed, "\(error)") }
    }
}

/// Serves the requests of a process.
public protocol RequestHandling: Sendable {
    /// Called on a bus thread: it must not block. Every responder is answered exactly once, now or later.
    func handle(_ request: IncomingRequest, _ responder: Responder)
}
