import Checksums
import NIOCore
import Synchronization
import Threads

/// Computes one hash of a large body on a thread of its own, beside the event loop that reads the body and computes the others:
/// one after the other they would take longer than the bytes take to come.
///
/// The one task that reads the body calls it.
final class AsideHasher: Sendable {
    /// Smaller bodies are not worth the hand-over.
    static let bodyMin: UInt64 = 4 << 20
    /// What is handed over at a time.
    static let batch = 256 << 10
    /// Bytes that may wait to be hashed, beside a batch that is.
    static let waitingMax = 512 << 10

    fileprivate struct State {
        var waiting: [ByteBuffer] = []
        var bytes = 0
        /// A thread hashes, or is about to.
        var isRunning = false
        /// Of the reader, until the thread has nothing left.
        var reader: UnsafeContinuation<Void, Never>?
    }

    private static let threads: WorkerPool = {
        let pool = WorkerPool(queueMax: 1024)
        pool.start(threads: 2, name: "body-hasher")
        return pool
    }()

    private let state = Mutex(State())
    /// Of whoever runs.
    private let hasher: Checksums.Hasher

    init(_ algorithm: HashAlgorithm) { hasher = Checksums.Hasher(algorithm) }

    /// Whether to ``wait()`` before more is given.
    var isBehind: Bool { state.withLock { $0.bytes > Self.waitingMax } }

    func update(_ bytes: ByteBuffer) {
        let starts = state.withLock { state in
            state.waiting.append(bytes)
            state.bytes += bytes.readableBytes
            guard !state.isRunning, state.bytes >= Self.batch else { return false }
            state.isRunning = true
            return true
        }
        if starts, !Self.threads.submit({ self.run() }) { run() }
    }

    /// Until all that was given is hashed but for less than a batch.
    func wait() async {
        await withUnsafeContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.isRunning { state.reader = continuation }
                return !state.isRunning
            }
            if isIdle { continuation.resume() }
        }
    }

    /// The digest of everything.
    func finish() async -> [UInt8] {
        await wait()
        for bytes in state.withLock({ $0.take() }) { hasher.update(bytes) }
        return hasher.finish()
    }

    private func run() {
        while true {
            let batch = state.withLock { $0.take() }
            for bytes in batch { hasher.update(bytes) }
            let (isDone, reader) = state.withLock { $0.rest() }
            reader?.resume()
            if isDone { return }
        }
    }
}

extension AsideHasher.State {
    fileprivate mutating func take() -> [ByteBuffer] {
        defer { (waiting, bytes) = ([], 0) }
        return waiting
    }

    /// Whether the thread has nothing to do any more, and who waits for that.
    fileprivate mutating func rest() -> (Bool, UnsafeContinuation<Void, Never>?) {
        guard bytes < AsideHasher.batch else { return (false, nil) }
        isRunning = false
        defer { reader = nil }
        return (true, reader)
    }
}
