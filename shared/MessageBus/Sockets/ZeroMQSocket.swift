import CZeroMQ

#if canImport(Glibc)
    import Glibc
#endif

/// A socket. Used by one thread at a time; every call returns at once.
final class ZeroMQSocket {
    private let handle: UnsafeMutableRawPointer
    private var isOpen = true

    /// Milliseconds. A peer that restarted is found again after at most twice the first.
    private static let reconnectInterval: Int32 = 30
    private static let heartbeatInterval: Int32 = 1000
    private static let heartbeatTimeout: Int32 = 5000
    private static let lingerMilliseconds: Int32 = 250
    /// Messages in a pipe, each way. More than the requests that may be in flight.
    private static let highWaterMark: Int32 = 16384

    init(_ context: ZeroMQContext, _ type: Int32) throws {
        guard let handle = zmq_socket(context.handle, type) else { throw BusSetupError("zmq_socket") }
        self.handle = handle
        try set(ZMQ_LINGER, Self.lingerMilliseconds)
        try set(ZMQ_SNDHWM, Self.highWaterMark)
        try set(ZMQ_RCVHWM, Self.highWaterMark)
    }

    /// Options of sockets that talk to other processes.
    ///
    /// ZMQ_IMMEDIATE is not among them, though it would keep libzmq from queueing for a peer that is away: with it, a lost
    /// connection takes the queue from the reader at once, and when that happens between two frames of a message, libzmq
    /// 4.3.4 ends the process (assertion in fq.cpp, its issue 3663).
    func configureForNetwork(messageBytes: Int) throws {
        try set(ZMQ_RECONNECT_IVL, Self.reconnectInterval)
        try set(ZMQ_HANDSHAKE_IVL, 3000)
        try set(ZMQ_CONNECT_TIMEOUT, 1000)
        try set(ZMQ_HEARTBEAT_IVL, Self.heartbeatInterval)
        try set(ZMQ_HEARTBEAT_TIMEOUT, Self.heartbeatTimeout)
        try set(ZMQ_HEARTBEAT_TTL, Self.heartbeatTimeout)
        var bytes = Int64(messageBytes)
        try check(zmq_setsockopt(handle, ZMQ_MAXMSGSIZE, &bytes, 8), "ZMQ_MAXMSGSIZE")
    }

    /// Serves CURVE: only keys that the authority admits for this domain get in. Without an authority everybody would, so
    /// there must be one already.
    func becomeCurveServer(_ keys: CurveKeyPair, domain: String) throws {
        try set(ZMQ_CURVE_SERVER, 1)
        try set(ZMQ_CURVE_SECRETKEY, keys.secretKey)
        try set(ZMQ_ZAP_DOMAIN, Array(domain.utf8))
    }

    func becomeCurveClient(_ keys: CurveKeyPair, server: [UInt8]) throws {
        try set(ZMQ_CURVE_SERVERKEY, server)
        try set(ZMQ_CURVE_PUBLICKEY, keys.publicKey)
        try set(ZMQ_CURVE_SECRETKEY, keys.secretKey)
    }

    func set(_ option: Int32, _ value: Int32) throws {
        var value = value
        try check(zmq_setsockopt(handle, option, &value, 4), "socket option \(option)")
    }

    func set(_ option: Int32, _ value: [UInt8]) throws {
        try check(zmq_setsockopt(handle, option, value, value.count), "socket option \(option)")
    }

    /// Binds and returns the address with the port in force.
    func bind(_ address: String) throws -> String {
        if address.contains("[") { try set(ZMQ_IPV6, 1) }
        try check(zmq_bind(handle, address), "bind \(address)")
        var text = [CChar](repeating: 0, count: 256)
        var count = text.count
        try check(zmq_getsockopt(handle, ZMQ_LAST_ENDPOINT, &text, &count), "ZMQ_LAST_ENDPOINT")
        return text.withUnsafeBufferPointer { String(cString: $0.baseAddress!) }
    }

    func connect(_ address: String) throws {
        if address.contains("[") { try set(ZMQ_IPV6, 1) }
        try check(zmq_connect(handle, address), "connect \(address)")
    }

    /// Reports connects, disconnects and refused handshakes to a PAIR socket at this inproc address.
    func reportEvents(to address: String) throws {
        let events =
            ZMQ_EVENT_CONNECTED | ZMQ_EVENT_CLOSED | ZMQ_EVENT_CONNECT_RETRIED | ZMQ_EVENT_HANDSHAKE_SUCCEEDED
            | ZMQ_EVENT_DISCONNECTED | ZMQ_EVENT_HANDSHAKE_FAILED_AUTH
            | ZMQ_EVENT_HANDSHAKE_FAILED_PROTOCOL
        try check(zmq_socket_monitor(handle, address, events), "zmq_socket_monitor")
    }

    func stopReporting() {
        if isOpen { zmq_socket_monitor(handle, nil, 0) }
    }

    private func check(_ status: Int32, _ operation: String) throws {
        guard status == 0 else { throw BusSetupError(operation) }
    }

    /// Readable when the socket wants to be looked at: edges only, see ``SocketPoller``.
    var descriptor: Int32 { option(ZMQ_FD) }

    /// ZMQ_POLLIN and ZMQ_POLLOUT; asking also lets libzmq do its pending work for this socket.
    var events: Int32 { option(ZMQ_EVENTS) }

    private func option(_ name: Int32) -> Int32 {
        // A socket may be closed by what its own message set off: libzmq must not see it again.
        guard isOpen else { return 0 }
        var value: Int32 = 0
        var count = MemoryLayout<Int32>.size
        while zmq_getsockopt(handle, name, &value, &count) != 0 {
            guard zmq_errno() == EINTR else { return 0 }
        }
        return value
    }

    /// Sends one frame; 0 or the error number (EAGAIN: no connection, or its queue is full).
    func send(_ message: consuming ZeroMQMessage, more: Bool) -> Int32 {
        guard isOpen else { return ENOTSOCK }
        while zmq_msg_send(&message.raw, handle, ZMQ_DONTWAIT | (more ? ZMQ_SNDMORE : 0)) < 0 {
            let code = zmq_errno()
            if code != EINTR { return code }
        }
        return 0
    }

    /// Receives one frame; false when there is none.
    func receive(_ message: inout ZeroMQMessage) -> Bool {
        guard isOpen else { return false }
        while zmq_msg_recv(&message.raw, handle, ZMQ_DONTWAIT) < 0 {
            if zmq_errno() != EINTR { return false }
        }
        return true
    }

    /// Receives all frames of the next message as they are; nil when there is none.
    func receiveAll() -> [[UInt8]]? {
        var frame = ZeroMQMessage()
        guard receive(&frame) else { return nil }
        var frames = [frame.bytes]
        while frame.hasMore, receive(&frame) { frames.append(frame.bytes) }
        return frames
    }

    func close() {
        guard isOpen else { return }
        isOpen = false
        zmq_close(handle)
    }

    /// Closes; what is queued is not sent any more.
    func discard() {
        try? set(ZMQ_LINGER, 0)
        close()
    }

    deinit { close() }
}
