import MessageBus
import Model
import NIOCore
import ObjectAccess
import Synchronization
import Wire

/// Reads content ahead of whoever takes it: a bounded number of pieces, so that a slow client costs bounded memory. What
/// this machine has in memory is read when it is taken.
final class ContentStream: ContentReading {
    private struct State {
        var pieces: ContentPieces
        /// The next of the pieces, looked at and not taken.
        var upcoming: ContentPiece?
        /// Read by ``prepare()``.
        var first: ByteBuffer?
        /// So many of the next pieces are fetched ahead: one lately was not in memory, or nobody told where it is.
        var coldPieces = 0
        var pending: [Task<ByteBuffer, any Error>] = []
    }

    private static let coldRun = 16

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

    /// Waits until the first bytes are there.
    func prepare() async throws {
        let task = state.withLock { state in
            if state.first == nil { state.first = atHand(&state) }
            return state.first == nil ? fill(&state, atLeast: 1) : nil
        }
        _ = try await task?.value
    }

    func next() async throws -> ByteBuffer? {
        if let bytes = state.withLock({ $0.first.take() ?? atHand(&$0) }) { return bytes }
        guard let task = state.withLock({ fill(&$0, atLeast: 1) }) else { return nil }
        let bytes = try await task.value
        // The next pieces are fetched while this one is used.
        state.withLock { state in
            state.pending.removeFirst()
            if let name = upcoming(&state)?.chunk, state.coldPieces == 0, !storage.knowsPlace(of: name) {
                state.coldPieces = Self.coldRun
            }
            fill(&state)
        }
        return bytes
    }

    func read(_ count: Int) async throws -> ByteBuffer? { try await buffer.read(count) { try await next() } }

    /// Starts fetching until the window is full. Pieces that are likely at hand soon are left for later when `least` are
    /// under way. Returns the first piece.
    @discardableResult
    private func fill(_ state: inout State, atLeast least: Int = 0) -> Task<ByteBuffer, any Error>? {
        while state.pending.count < window, let piece = upcoming(&state),
            state.pending.count < least || !isAtHandSoon(piece, state)
        {
            state.upcoming = nil
            state.coldPieces = max(0, state.coldPieces - 1)
            state.pending.append(fetch(piece))
        }
        return state.pending.first
    }

    private func upcoming(_ state: inout State) -> ContentPiece? {
        if let piece = state.upcoming { return piece }
        state.upcoming = state.pieces.next()
        if let name = state.upcoming?.chunk { ahead.expect(name.blob, end: state.pieces.chunksEnd) }
        return state.upcoming
    }

    /// Perhaps when the one before it is there.
    private func isAtHandSoon(_ piece: ContentPiece, _ state: State) -> Bool {
        guard state.coldPieces == 0, let name = piece.chunk else { return false }
        return storage.knowsPlace(of: name) || storage.mayBeTold(of: name)
    }

    /// The next piece, if it can be read without waiting and none before it is under way.
    private func atHand(_ state: inout State) -> ByteBuffer? {
        guard state.pending.isEmpty, state.coldPieces == 0,
            case .chunk(let name, let offset, let length)? = upcoming(&state)
        else { return nil }
        guard let bytes = storage.chunkAtHand(name, offset: offset, length: length) else {
            if storage.knowsPlace(of: name) { state.coldPieces = Self.coldRun }
            return nil
        }
        state.upcoming = nil
        return bytes
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
