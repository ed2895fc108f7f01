import CZeroMQ

/// Tells what happens to the connection of one client socket.
final class ConnectionMonitor {
    enum Event {
        /// Nobody listens there, or not yet; libzmq tries again.
        case failed
        /// There is somebody; the handshake goes on.
        case answered
        case connected
        case disconnected
        /// The handshake failed for good.
        case refused
    }

    private let poller: SocketPoller
    private let subject: ZeroMQSocket
    private let source: SocketPoller.Source

    init(
        of subject: ZeroMQSocket, context: ZeroMQContext, poller: SocketPoller,
        onEvent: @escaping (Event) -> Void
    ) throws {
        self.poller = poller
        self.subject = subject
        let address = "inproc://monitor-\(poller.nextNumber())"
        try subject.reportEvents(to: address)
        let socket = try ZeroMQSocket(context, ZMQ_PAIR)
        try socket.connect(address)
        source = try poller.add(socket) { socket in
            while let frames = socket.receiveAll() {
                if let event = Self.event(frames) { onEvent(event) }
            }
            return socket.events & ZMQ_POLLIN != 0
        }
    }

    /// First frame: 16 bits of event, 32 bits of value, in the machine's order.
    private static func event(_ frames: [[UInt8]]) -> Event? {
        guard let head = frames.first, head.count >= 2 else { return nil }
        switch Int32(head[0]) | Int32(head[1]) << 8 {
        case ZMQ_EVENT_CLOSED, ZMQ_EVENT_CONNECT_RETRIED: return .failed
        case ZMQ_EVENT_CONNECTED: return .answered
        case ZMQ_EVENT_HANDSHAKE_SUCCEEDED: return .connected
        case ZMQ_EVENT_DISCONNECTED: return .disconnected
        case ZMQ_EVENT_HANDSHAKE_FAILED_AUTH, ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL: return .refused
        default: return nil
        }
    }

    func close() {
        subject.stopReporting()
        poller.close(source)
    }
}
