import CZeroMQ
import Logging
import Model
import NIOCore
import Wire

/// An answer on its way from a handler's thread to the bus thread.
struct OutgoingReply: Sendable {
    /// Which of the process's ROUTERs the request came to.
    var listener: RequestServer.Listener
    var connection: [UInt8]
    var correlation: UInt64
    var type: MessageType
    /// When the sender stops waiting.
    var due: UInt64
    /// Of the request.
    var bytes: Int
    var answer: Answer
}

/// The serving side: ROUTER sockets, who may send what, dispatch to the handler, answers.
final class RequestServer {
    /// The doors of a process.
    enum Listener: Int, Sendable, CaseIterable {
        case members
        /// Any key, ENROL only.
        case newcomers
        /// Members on this machine, see ``LocalDoors``.
        case local
    }

    private let shared: BusShared
    private let handler: any RequestHandling
    private let directory: any PeerDirectory
    private let authority: KeyAuthority?
    private let poller: SocketPoller
    private let metrics: BusMetrics
    private var sources = [SocketPoller.Source?](repeating: nil, count: Listener.allCases.count)
    private(set) var addresses = [String](repeating: "", count: Listener.allCases.count)
    /// Requests given to the handler and not answered.
    private(set) var outstanding = 0
    private var outstandingBytes = 0
    var isStopping = false

    init(
        _ shared: BusShared, handler: any RequestHandling, directory: any PeerDirectory, authority: KeyAuthority?,
        poller: SocketPoller, metrics: BusMetrics
    ) {
        self.shared = shared
        self.handler = handler
        self.directory = directory
        self.authority = authority
        self.poller = poller
        self.metrics = metrics
    }

    func listen(_ listener: Listener, on address: String, context: ZeroMQContext) throws {
        let configuration = shared.configuration
        let socket = try ZeroMQSocket(context, ZMQ_ROUTER)
        try socket.configureForNetwork(messageBytes: configuration.limits.messageBytes)
        try socket.set(ZMQ_ROUTER_MANDATORY, 1)
        if configuration.security == .curve, listener != .local {
            let domain = listener == .members ? KeyAuthority.members : KeyAuthority.newcomers
            try socket.becomeCurveServer(configuration.keyPair, domain: domain)
        }
        addresses[listener.rawValue] = try socket.bind(address)
        sources[listener.rawValue] = try poller.add(socket) { [unowned self] in drain($0, listener) }
    }

    /// A receive that finds nothing has looked at the socket's mailbox: there is no need to ask for its events as well.
    private func drain(_ socket: ZeroMQSocket, _ listener: Listener) -> Bool {
        for _ in 0..<BusFrames.batch {
            guard
                let message = BusFrames.receive(
                    from: socket, leadingFrame: true, messageBytes: shared.configuration.limits.messageBytes)
            else { return false }
            serve(message, listener)
        }
        return true
    }

    private func serve(_ message: ReceivedMessage, _ listener: Listener) {
        guard let envelope = message.envelope, !envelope.reply else {
            metrics.malformed.increment()
            return
        }
        guard envelope.timeoutMilliseconds > 0 else {
            (message.fault == nil ? metrics.expired : metrics.malformed).increment()
            return
        }
        let timeout = UInt64(envelope.timeoutMilliseconds)
        let reply = OutgoingReply(
            listener: listener, connection: message.connection, correlation: envelope.correlationId,
            type: envelope.type, due: monotonicNanoseconds() + timeout * 1_000_000, bytes: message.bytes,
            answer: Answer(status: .ok))
        switch admit(message, envelope, listener) {
        case .failure(let refusal):
            if refusal.status == .malformed { metrics.malformed.increment() }
            transmit(reply, Answer(status: refusal.status, message: refusal.message))
        case .success(let role):
            metrics.count(envelope.type, .received)
            dispatch(message, envelope, role, timeout, reply)
        }
    }

    /// The role by which the request is served, or why it is not.
    private func admit(
        _ message: ReceivedMessage, _ envelope: Envelope, _ listener: Listener
    ) -> Result<MemberRole, BusError> {
        switch message.fault {
        case .malformed: return .failure(BusError(.malformed, "frames are missing"))
        case .tooLarge: return .failure(BusError(.tooLarge, "the message is larger than the limit"))
        case .unsupportedVersion:
            return .failure(BusError(.unsupportedVersion, "this process speaks version \(busProtocolVersion)"))
        case nil: break
        }
        let type = envelope.type
        guard RoleTable.knows(type) else { return .failure(BusError(.unknownType, "\(type)")) }
        let role: MemberRole
        switch authenticate(message, envelope, listener) {
        case .failure(let refusal): return .failure(refusal)
        case .success(let found): role = found
        }
        guard RoleTable.permits(role, toSend: type) else {
            return .failure(BusError(.forbidden, "\(role) may not send \(type) here"))
        }
        if isStopping { return .failure(BusError(.unavailable, "stopping")) }
        let limits = shared.configuration.limits
        guard outstanding < limits.requestsServed, outstandingBytes + message.bytes <= limits.bytesServed else {
            return .failure(BusError(.overloaded, "too many requests are being served"))
        }
        return .success(role)
    }

    private func authenticate(
        _ message: ReceivedMessage, _ envelope: Envelope, _ listener: Listener
    ) -> Result<MemberRole, BusError> {
        if listener == .newcomers { return .success(.roleUnspecified) }
        let sender = NodeName(envelope.sender)
        guard let authority else { return .success(directory.endpoint(of: sender)?.role ?? .roleUnspecified) }
        let owner =
            listener == .local
            ? LocalConnectionName.publicKey(message.connection).flatMap { directory.peer(publicKey: $0) }
            : authority.owner(userID: message.userID)
        guard let owner else {
            return .failure(BusError(.forbidden, "the key of this connection is not enrolled any more"))
        }
        guard owner.name == sender else {
            return .failure(BusError(.forbidden, "the key of this connection does not belong to \(sender)"))
        }
        return .success(owner.role)
    }

    private func dispatch(
        _ message: ReceivedMessage, _ envelope: Envelope, _ role: MemberRole, _ timeout: UInt64, _ reply: OutgoingReply
    ) {
        outstanding += 1
        outstandingBytes += reply.bytes
        let queue = shared.queue
        let responder = Responder { answer in
            var reply = reply
            reply.answer = answer
            _ = queue.push(.reply(reply), urgent: true)
        }
        handler.handle(
            IncomingRequest(
                type: envelope.type, sender: NodeName(envelope.sender), role: role, epoch: envelope.epoch,
                deadline: .now + .milliseconds(timeout), requestID: envelope.requestId,
                traceparent: envelope.traceparent, body: message.body, payload: message.payload),
            responder)
    }

    /// The answer of a handler.
    func answer(_ reply: OutgoingReply) {
        outstanding -= 1
        outstandingBytes -= reply.bytes
        guard reply.due > monotonicNanoseconds() else {
            metrics.expired.increment()
            return
        }
        let size = reply.answer.payload.reduce(reply.answer.body.count) { $0 + $1.readableBytes }
        guard size <= shared.configuration.limits.messageBytes else {
            transmit(reply, Answer(status: .tooLarge, message: "the answer is larger than the limit"))
            return
        }
        transmit(reply, reply.answer)
    }

    private func transmit(_ reply: OutgoingReply, _ answer: Answer) {
        guard let source = sources[reply.listener.rawValue] else { return }
        let envelope = Envelope(
            protocolVersion: busProtocolVersion, type: reply.type, reply: true, correlationId: reply.correlation,
            sender: shared.configuration.name.rawValue, epoch: shared.configuration.currentEpoch(),
            status: answer.status, errorMessage: String(answer.message.prefix(1024)))
        // A sender that is gone gets no answer; one that does not read its answers is told nothing more.
        _ = BusFrames.send(
            envelope, body: answer.body, payload: answer.payload, to: source.socket, leadingFrame: reply.connection)
        poller.touch(source)
    }

    func close() {
        for case let source? in sources { poller.close(source) }
        sources = sources.map { _ in nil }
    }
}
