import CZeroMQ
import NIOCore
import Synchronization

/// One frame, owned.
struct ZeroMQMessage: ~Copyable {
    var raw: zmq_msg_t

    /// Payload from this size on is lent to libzmq instead of copied: below, the copy is cheaper than the bookkeeping.
    static let lentFrom = 4096

    init() {
        raw = zmq_msg_t()
        zmq_msg_init(&raw)
    }

    private static func copy(_ bytes: UnsafeRawBufferPointer) -> zmq_msg_t {
        var raw = zmq_msg_t()
        precondition(zmq_msg_init_size(&raw, bytes.count) == 0, "out of memory")
        if let source = bytes.baseAddress { zmq_msg_data(&raw)!.copyMemory(from: source, byteCount: bytes.count) }
        return raw
    }

    /// So many bytes, filled in place.
    init(count: Int, _ fill: (UnsafeMutableRawBufferPointer) -> Void) {
        var raw = zmq_msg_t()
        precondition(zmq_msg_init_size(&raw, count) == 0, "out of memory")
        fill(UnsafeMutableRawBufferPointer(start: zmq_msg_data(&raw), count: count))
        self.raw = raw
    }

    init(_ bytes: [UInt8]) {
        raw = bytes.withUnsafeBytes { Self.copy($0) }
    }

    /// The bytes of a buffer; large ones are not copied: the buffer's storage is kept until they are sent.
    init(_ buffer: ByteBuffer, account: HeldBytes?) {
        guard buffer.readableBytes >= Self.lentFrom else {
            raw = buffer.withUnsafeReadableBytes { Self.copy($0) }
            return
        }
        var message = zmq_msg_t()
        buffer.withUnsafeReadableBytesWithStorageManagement { bytes, storage in
            let loan = PayloadLoan(storage: storage.retain(), count: bytes.count, account: account)
            let status = zmq_msg_init_data(
                &message, UnsafeMutableRawPointer(mutating: bytes.baseAddress!), bytes.count,
                { _, loan in Unmanaged<PayloadLoan>.fromOpaque(loan!).release() },
                Unmanaged.passRetained(loan).toOpaque())
            precondition(status == 0, "out of memory")
        }
        raw = message
    }

    deinit {
        var raw = raw
        zmq_msg_close(&raw)
    }

    var count: Int {
        mutating get { zmq_msg_size(&raw) }
    }

    /// Whether more frames of the same message follow.
    var hasMore: Bool {
        mutating get { zmq_msg_more(&raw) != 0 }
    }

    mutating func withBytes<R>(_ body: (UnsafeRawBufferPointer) throws -> R) rethrows -> R {
        try body(UnsafeRawBufferPointer(start: zmq_msg_data(&raw), count: zmq_msg_size(&raw)))
    }

    var bytes: [UInt8] {
        mutating get { withBytes { Array($0) } }
    }

    var buffer: ByteBuffer {
        mutating get { count == 0 ? ByteBuffer() : withBytes { ByteBuffer(bytes: $0) } }
    }

    /// What the authentication of the connection said; nil on a connection without one.
    var userID: Int? {
        mutating get { zmq_msg_gets(&raw, "User-Id").flatMap { Int(String(cString: $0)) } }
    }
}

/// Bytes that libzmq holds for one peer. Counted down on its threads.
final class HeldBytes: Sendable {
    private let count = Atomic<Int>(0)

    var value: Int { count.load(ordering: .relaxed) }
    fileprivate func add(_ bytes: Int) { count.wrappingAdd(bytes, ordering: .relaxed) }
}

/// Keeps the storage of a sent buffer alive until libzmq is done with it.
private final class PayloadLoan {
    private let storage: Unmanaged<AnyObject>
    private let count: Int
    private let account: HeldBytes?

    init(storage: Unmanaged<AnyObject>, count: Int, account: HeldBytes?) {
        self.storage = storage
        self.count = count
        self.account = account
        account?.add(count)
    }

    deinit {
        account?.add(-count)
        storage.release()
    }
}
