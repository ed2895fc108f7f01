import Model
import NIOCore
import Synchronization

/// A blob that waits for the commit which refers to it.
struct StagedBlob: Sendable {
    var bytes: ByteBuffer
    var checksum: UInt32
}

/// Staged blobs in memory: at most so many bytes, and not for ever. What is dropped here is sent again with the commit.
final class StagedBlobs: Sendable {
    fileprivate struct State {
        var blobs: [BlobID: (blob: StagedBlob, expiry: ContinuousClock.Instant)] = [:]
        /// In the order of staging; also ids that are gone.
        var order: [BlobID] = []
        var head = 0
        var bytes = 0
    }

    private let state = Mutex(State())
    private let sizeMax: Int
    private let lifetime: Duration

    init(sizeMax: Int, lifetime: Duration = .seconds(30)) {
        self.sizeMax = sizeMax
        self.lifetime = lifetime
    }

    var bytes: Int { state.withLock { $0.bytes } }

    func put(_ id: BlobID, _ blob: StagedBlob, now: ContinuousClock.Instant = .now) {
        guard blob.bytes.readableBytes <= sizeMax else { return }
        state.withLock { state in
            if let old = state.blobs[id] { state.bytes -= old.blob.bytes.readableBytes } else { state.order.append(id) }
            state.blobs[id] = (blob, now.advanced(by: lifetime))
            state.bytes += blob.bytes.readableBytes
            state.shrink(to: sizeMax, now: now)
        }
    }

    func contains(_ id: BlobID) -> Bool { state.withLock { $0.blobs[id] != nil } }

    /// Bytes of a blob; nil: it is not here.
    func size(of id: BlobID) -> Int? { state.withLock { $0.blobs[id]?.blob.bytes.readableBytes } }

    func take(_ id: BlobID) -> StagedBlob? {
        state.withLock { state in
            guard let entry = state.blobs.removeValue(forKey: id) else { return nil }
            state.bytes -= entry.blob.bytes.readableBytes
            return entry.blob
        }
    }

    func dropExpired(now: ContinuousClock.Instant = .now) {
        state.withLock { $0.shrink(to: sizeMax, now: now) }
    }
}

extension StagedBlobs.State {
    /// Drops the oldest until the size fits and nothing is over its time.
    fileprivate mutating func shrink(to sizeMax: Int, now: ContinuousClock.Instant) {
        while head < order.count {
            if let oldest = blobs[order[head]] {
                guard bytes > sizeMax || oldest.expiry <= now else { break }
                blobs[order[head]] = nil
                bytes -= oldest.blob.bytes.readableBytes
            }
            head += 1
        }
        if head > 64, head * 2 > order.count {
            order.removeFirst(head)
            head = 0
        }
    }
}
