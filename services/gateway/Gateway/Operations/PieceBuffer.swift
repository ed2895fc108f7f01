import NIOCore
import Synchronization

/// Hands out content in pieces of a wanted size, whatever the size of those it comes in. One task asks.
final class PieceBuffer: Sendable {
    /// Taken from the source and not handed out yet.
    private let rest = Mutex(ByteBuffer())

    /// At most `count` bytes, less at the end only; nil after it.
    func read(_ count: Int, from next: () async throws -> ByteBuffer?) async throws -> ByteBuffer? {
        var bytes = rest.withLock { rest in
            defer { rest = ByteBuffer() }
            return rest
        }
        while bytes.readableBytes < count, var piece = try await next() {
            if bytes.readableBytes == 0 { bytes = piece } else { bytes.writeBuffer(&piece) }
        }
        guard bytes.readableBytes > 0 else { return nil }
        let wanted = bytes.readSlice(length: min(count, bytes.readableBytes))
        let left = bytes
        rest.withLock { $0 = left }
        return wanted
    }
}
