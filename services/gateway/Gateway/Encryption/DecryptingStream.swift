import Encryption
import MessageBus
import Model
import NIOCore
import ObjectAccess
import Synchronization
import Wire

/// Reads a range of encrypted content: fetches the frames that it is in, and opens them.
final class DecryptingStream: ContentReading {
    /// What is wanted of one blob.
    private struct Segment: Sendable {
        var blob: BlobReference
        var id: BlobID
        var span: FrameFormat.Span
        /// Bytes of content.
        var length: UInt64
    }

    private struct State {
        var segments: [Segment]
        var current: (segment: Segment, stream: ContentStream)?
        /// Of the current segment: the next frame, bytes of content to leave out, bytes of content to come.
        var frame: UInt64 = 0
        var skip = 0
        var left: UInt64 = 0
    }

    private let storage: any ObjectStorage
    private let encryption: ContentEncryption
    private let format: FrameFormat
    private let beside: ByteBuffer?
    private let context: MessageContext
    // Touched by the one task that reads.
    private let state: Mutex<State>
    private let buffer = PieceBuffer()

    /// Frames that are fetched and opened at a time.
    private static let framesAtOnce = 16

    /// - Parameters:
    ///   - range: of the content, not of what is stored.
    ///   - beside: the stored bytes that stand beside the register, if any.
    init(
        _ storage: any ObjectStorage, _ blobs: [BlobReference], _ encryption: ContentEncryption, range: Range<UInt64>,
        beside: ByteBuffer?, context: MessageContext
    ) throws {
        self.storage = storage
        self.encryption = encryption
        self.beside = beside
        self.context = context
        format = try encryption.format
        state = Mutex(State(segments: try Self.segments(of: blobs, range, format).reversed()))
    }

    private static func segments(
        of blobs: [BlobReference], _ range: Range<UInt64>, _ format: FrameFormat
    ) throws -> [Segment] {
        var segments: [Segment] = []
        var start: UInt64 = 0
        for blob in blobs where start < range.upperBound {
            guard let size = format.content(stored: blob.size), let id = BlobID(blob.id) else {
                throw AccessError.damaged("encrypted content has an impossible size")
            }
            let wanted = range.clamped(to: start..<(start + size))
            if !wanted.isEmpty {
                let within = (wanted.lowerBound - start)..<(wanted.upperBound - start)
                segments.append(
                    Segment(
                        blob: blob, id: id, span: format.span(of: within, total: blob.size),
                        length: UInt64(within.count)))
            }
            start += size
        }
        return segments
    }

    func prepare() async throws { try await openSegment()?.prepare() }

    /// The stream of the present segment, or of the next one; nil at the end.
    private func openSegment() -> ContentStream? {
        state.withLock { state in
            if let current = state.current, state.left > 0 { return current.stream }
            guard let segment = state.segments.popLast() else { return nil }
            let stream = ContentStream(
                storage, [segment.blob], range: segment.span.stored, beside: beside, context: context)
            state.current = (segment, stream)
            (state.frame, state.skip, state.left) = (segment.span.firstFrame, segment.span.skip, segment.length)
            return stream
        }
    }

    func next() async throws -> ByteBuffer? {
        guard let stream = openSegment() else { return nil }
        guard let sealed = try await stream.read(Self.framesAtOnce * format.storedSize) else {
            throw AccessError.damaged("encrypted content is shorter than its record says")
        }
        return try open(sealed)
    }

    private func open(_ sealed: ByteBuffer) throws -> ByteBuffer {
        try state.withLock { state in
            guard let segment = state.current?.segment else { throw AccessError.damaged("no content to open") }
            let frames = format.frames(stored: UInt64(sealed.readableBytes))
            let isEnd = state.frame + frames == format.frames(stored: segment.blob.size)
            var content: ByteBuffer
            do {
                content = try encryption.cipher(of: segment.id).open(sealed, first: state.frame, isEnd: isEnd)
            } catch is FrameCipher.NotAuthentic {
                throw AccessError.damaged("encrypted content was changed")
            }
            content.moveReaderIndex(forwardBy: min(state.skip, content.readableBytes))
            let length = min(content.readableBytes, Int(clamping: state.left))
            state.skip = 0
            state.frame += frames
            state.left -= UInt64(length)
            guard let bytes = content.readSlice(length: length), length > 0 else {
                throw AccessError.damaged("encrypted content is shorter than its record says")
            }
            return bytes
        }
    }

    func read(_ count: Int) async throws -> ByteBuffer? { try await buffer.read(count) { try await next() } }
}
