import Logging
import MessageBus
import Model
import Observability
import Synchronization

/// Chunks that were written for a register that will never refer to them: they are dropped in the background, a bounded
/// number of blobs at a time.
///
/// Best effort on purpose. What is not dropped here, because this process dies, the queue is full or a replica is out of
/// reach, is found by repair: every chunk knows its owner.
final class AbandonedContent: Sendable {
    struct Item: Sendable, Hashable {
        var blob: BlobID
        /// Chunks 0 ..< count may have been written.
        var count: UInt32
    }

    private struct State {
        var waiting: [Item] = []
        var running = 0
        var idle: [CheckedContinuation<Void, Never>] = []
    }

    /// Blobs that wait for their turn; further ones are left to repair.
    static let waitingMax = 1024
    private static let atOnce = 4

    private let storage: any ObjectStorage
    private let logger: Logger
    private let dropped: Counter
    private let left: Counter
    private let state = Mutex(State())

    init(storage: any ObjectStorage, logger: Logger, metrics: MetricsRegistry) {
        self.storage = storage
        self.logger = logger
        dropped = metrics.counter(
            "martlet_abandoned_uploads_dropped_total", help: "Failed uploads whose chunks were dropped at once")
        left = metrics.counter(
            "martlet_abandoned_uploads_left_total", help: "Failed uploads whose chunks are left to repair")
    }

    /// Returns at once. Only for content that no register refers to, now or later.
    func drop(_ blob: BlobID, count: UInt32) {
        guard count > 0 else { return }
        let mayStart: Bool? = state.withLock { state in
            guard state.waiting.count < Self.waitingMax else { return nil }
            state.waiting.append(Item(blob: blob, count: count))
            guard state.running < Self.atOnce else { return false }
            state.running += 1
            return true
        }
        switch mayStart {
        case true?: Task { await self.run() }
        case false?: break
        case nil: left.increment()
        }
    }

    /// Returns when nothing waits or runs.
    func settle() async {
        await withCheckedContinuation { continuation in
            let isIdle = state.withLock { state in
                if state.running > 0 { state.idle.append(continuation) }
                return state.running == 0
            }
            if isIdle { continuation.resume() }
        }
    }

    private func run() async {
        while let item = next() {
            do {
                if try await storage.dropChunks(item.blob, 0..<item.count, context: MessageContext()) {
                    dropped.increment()
                    continue
                }
                logger.debug("a replica may keep chunks of a failed upload", metadata: ["blob": "\(item.blob)"])
            } catch {
                logger.debug(
                    "chunks of a failed upload are left", metadata: ["blob": "\(item.blob)", "error": "\(error)"])
            }
            left.increment()
        }
    }

    /// nil: this worker ends.
    private func next() -> Item? {
        let (item, idle) = state.withLock { state -> (Item?, [CheckedContinuation<Void, Never>]) in
            if !state.waiting.isEmpty { return (state.waiting.removeFirst(), []) }
            state.running -= 1
            guard state.running == 0 else { return (nil, []) }
            defer { state.idle = [] }
            return (nil, state.idle)
        }
        for continuation in idle { continuation.resume() }
        return item
    }
}
