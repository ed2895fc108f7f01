import MessageBus
import Model
import NIOCore
import ObjectAccess
import Synchronization
import Wire

/// Reads content ahead of whoever takes it: a bounded number of pieces, so that a slow client costs bounded memory.
final class ContentStream: ContentReading {
    private struct State {
        var pieces: ContentPieces
        var pending: [Task<ByteBuffer, any Error>] = []
    }

    private let storage: any ObjectStorage
    private let context: MessageContext
    private let beside: ByteBuffer?
    private let window: Int
    private let state: Mutex<State>
    private let buffer = PieceBuffer()
    private let ahead = PlacesAhead()

    /// - Parameter beside: the content that stands beside the register, if any.
    init(
        _ storage: any ObjectStorage, _ blobs: [BlobReference], range: Range<UInt64>, beside: ByteBuffer?,
        context: MessageContext, window: Int = 2
    ) {
        self.storage = storage
        self.context = context
        self.beside = beside
        self.window = window
        state = Mutex(State(pieces: ContentPieces(of: blobs, range: range)))
    }

    deinit {
        state.withLock { state in
            for task in state.pending { task.cancel() }
        }
    }

    func prepare() async throws {
        if let first = state.withLock({ fill(&$0) }) { _ = try await first.value }
    }

    func next() async throws -> ByteBuffer? {
        guard let task = state.withLock({ fill(&$0) }) else { return nil }
        let bytes = try await task.value
        // The next pieces are fetched while this one is used.
        state.withLock { state in
            state.pending.removeFirst()
            _ = fill(&state)
        }
        return bytes
    }

    func read(_ count: Int) async throws -> ByteBuffer? { try await buffer.read(count) { try await next() } }

    /// Starts fetching until the window is full. Returns the first piece.
    private func fill(_ state: inout State) -> Task<ByteBuffer, any Error>? {
        while state.pending.count < window, let piece = state.pieces.next() {
            if case .chunk(let name, _, _) = piece { ahead.expect(name.blob, end: state.pieces.chunksEnd) }
            state.pending.append(fetch(piece))
        }
        return state.pending.first
    }

    private func fetch(_ piece: ContentPiece) -> Task<ByteBuffer, any Error> {
        // Not the stream itself: it would keep itself alive.
        Task(executorPreference: EventLoopTaskExecutor.ofThisThread) { [storage, context, beside, ahead] in
            switch piece {
            case .chunk(let name, let offset, let length):
                return try await storage.getChunk(
                    name, offset: offset, length: length, ahead: ahead, context: context)
            case .beside(let offset, let length):
                guard let beside, let bytes = beside.getSlice(at: beside.readerIndex + offset, length: length) else {
                    throw AccessError.absent
                }
                return bytes
            }
        }
    }
}
