import Encryption
import NIOCore
import S3Protocol
import Synchronization

/// Encrypts content as it passes. Reads one piece ahead: the last frame is marked as such.
final class EncryptingSource: ContentSource {
    private struct State {
        let cipher: FrameCipher
        var ahead: ByteBuffer?
        var frame: UInt64 = 0
        var isStarted = false
    }

    private let source: any ContentSource
    // Touched by the one task that reads.
    private let state: Mutex<State>
    /// Content of one piece: whole frames.
    private let pieceSize: Int

    /// - Parameter storedPiece: bytes that are read at a time; a multiple of the size of a frame.
    init(_ source: any ContentSource, _ cipher: FrameCipher, storedPiece: Int) {
        precondition(storedPiece % cipher.format.storedSize == 0, "a piece has whole frames")
        self.source = source
        pieceSize = storedPiece / cipher.format.storedSize * cipher.format.contentSize
        state = Mutex(State(cipher: cipher))
    }

    /// `count` is the size of a piece.
    func read(_ count: Int) async throws -> ByteBuffer? {
        if state.withLock({ $0.isStarted }) == false {
            let first = try await source.read(pieceSize)
            state.withLock { ($0.ahead, $0.isStarted) = (first, true) }
        }
        guard let piece = state.withLock({ $0.ahead }) else { return nil }
        let next = try await source.read(pieceSize)
        return state.withLock { state in
            let sealed = state.cipher.seal(piece, first: state.frame, isEnd: next == nil)
            state.frame += state.cipher.format.frames(stored: UInt64(sealed.readableBytes))
            state.ahead = next
            return sealed
        }
    }
}
