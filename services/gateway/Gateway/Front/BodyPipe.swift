import NIOCore
import S3Protocol
import Synchronization

/// Where the raw bytes of a body come from.
protocol BodySource: Sendable {
    /// nil at the end. One task asks.
    func next() async throws(S3Error) -> ByteBuffer?
}

/// Carries a body from its connection to the task that reads it. Holds at most about two reads of the socket: the
/// connection reads only when it is asked for more.
final class BodyPipe: BodySource {
    private struct State {
        var buffers: [ByteBuffer] = []
        var isEnded = false
        var error: S3Error?
        var waiter: CheckedContinuation<Void, Never>?
        var isDemanded = false
        var received: UInt64 = 0
    }

    private let state = Mutex(State())
    /// Tells the connection that bytes are wanted; called on any thread.
    private let onDemand: @Sendable () -> Void

    init(onDemand: @escaping @Sendable () -> Void) { self.onDemand = onDemand }

    // MARK: - The connection's side

    /// Whether the connection should read from its socket.
    var wantsMore: Bool { state.withLock { $0.isDemanded && $0.buffers.isEmpty && !$0.isEnded && $0.error == nil } }

    /// Whether the reader has asked for the body at all.
    var isDemanded: Bool { state.withLock { $0.isDemanded } }

    var received: UInt64 { state.withLock { $0.received } }

    func push(_ bytes: ByteBuffer) {
        wake { state in
            guard state.error == nil else { return }
            state.received += UInt64(bytes.readableBytes)
            state.buffers.append(bytes)
        }
    }

    func finish() { wake { $0.isEnded = true } }

    func fail(_ error: S3Error) {
        wake { state in
            if !state.isEnded, state.error == nil { state.error = error }
        }
    }

    private func wake(_ change: (inout State) -> Void) {
        let waiter = state.withLock { state in
            change(&state)
            let waiter = state.waiter
            state.waiter = nil
            return waiter
        }
        waiter?.resume()
    }

    // MARK: - The reader's side

    func next() async throws(S3Error) -> ByteBuffer? {
        while true {
            let (taken, asks) = state.withLock { state -> (Result<ByteBuffer?, S3Error>?, Bool) in
                state.isDemanded = true
                if !state.buffers.isEmpty {
                    let first = state.buffers.removeFirst()
                    return (.success(first), state.buffers.isEmpty && !state.isEnded)
                }
                if let error = state.error { return (.failure(error), false) }
                return state.isEnded ? (.success(nil), false) : (nil, true)
            }
            if asks { onDemand() }
            if let taken { return try taken.get() }
            await waitForChange()
        }
    }

    private func waitForChange() async {
        await withCheckedContinuation { continuation in
            let changed = state.withLock { state in
                guard state.buffers.isEmpty, !state.isEnded, state.error == nil else { return true }
                precondition(state.waiter == nil, "a body is read by one task")
                state.waiter = continuation
                return false
            }
            if changed { continuation.resume() }
        }
    }
}

/// A body that is at hand.
final class BytesSource: BodySource {
    private let bytes: Mutex<ByteBuffer?>

    init(_ bytes: ByteBuffer) { self.bytes = Mutex(bytes.readableBytes == 0 ? nil : bytes) }

    func next() async throws(S3Error) -> ByteBuffer? {
        bytes.withLock { bytes in
            let taken = bytes
            bytes = nil
            return taken
        }
    }
}
