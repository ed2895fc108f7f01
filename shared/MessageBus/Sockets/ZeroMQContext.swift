import CZeroMQ

#if canImport(Glibc)
    import Glibc
#endif

/// A socket could not be made ready: an address in use, a bad option, no descriptors left.
public struct BusSetupError: Error, CustomStringConvertible {
    public let operation: String
    public let reason: String

    init(_ operation: String, code: Int32 = zmq_errno()) {
        self.operation = operation
        reason = String(cString: zmq_strerror(code))
    }

    init(_ operation: String, reason: String) {
        self.operation = operation
        self.reason = reason
    }

    public var description: String { "\(operation): \(reason)" }
}

/// The libzmq context of one bus. Terminated after every socket is closed.
struct ZeroMQContext {
    let handle: UnsafeMutableRawPointer

    init() throws {
        guard let handle = zmq_ctx_new() else { throw BusSetupError("zmq_ctx_new") }
        self.handle = handle
        zmq_ctx_set(handle, ZMQ_MAX_SOCKETS, 8192)
    }

    /// Waits for unsent messages up to the sockets' linger.
    func terminate() {
        while zmq_ctx_term(handle) != 0, zmq_errno() == EINTR {}
    }
}
