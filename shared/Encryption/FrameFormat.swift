/// How content is cut into frames that are encrypted one by one, so that a range needs only its own frames.
///
/// A frame is stored as its ciphertext and a tag of 16 bytes. All frames but the last have the same size; content without
/// bytes has no frame. Frames are numbered: their nonce is the number, and whether the frame is the last, so that frames
/// that are missing, swapped or cut off are noticed.
public struct FrameFormat: Sendable, Equatable {
    public static let tagSize = 16
    /// 16 whole frames are one chunk of stored content.
    public static let standard = FrameFormat(storedSize: 64 << 10)!

    /// Bytes of a whole frame as it is stored.
    public let storedSize: Int

    /// Bytes of content in a whole frame.
    public var contentSize: Int { storedSize - Self.tagSize }

    /// nil for sizes that no frame can have.
    public init?(storedSize: Int) {
        guard (Self.tagSize + 1...16 << 20).contains(storedSize) else { return nil }
        self.storedSize = storedSize
    }

    /// Bytes that content of this size takes.
    public func stored(content size: UInt64) -> UInt64 {
        let whole = UInt64(contentSize)
        let frames = size / whole + (size % whole == 0 ? 0 : 1)
        return size + frames * UInt64(Self.tagSize)
    }

    /// Bytes of content in stored frames of this size; nil: no content has that size.
    public func content(stored size: UInt64) -> UInt64? {
        let frames = frames(stored: size)
        let rest = size % UInt64(storedSize)
        guard rest == 0 || rest > UInt64(Self.tagSize) else { return nil }
        return size - frames * UInt64(Self.tagSize)
    }

    public func frames(stored size: UInt64) -> UInt64 {
        let whole = UInt64(storedSize)
        return size / whole + (size % whole == 0 ? 0 : 1)
    }

    /// The stored frames that a range of content is in.
    public struct Span: Sendable, Equatable {
        /// Bytes as they are stored: whole frames.
        public var stored: Range<UInt64>
        public var firstFrame: UInt64
        /// Bytes of content to leave out at the beginning of the first frame.
        public var skip: Int
    }

    /// - Parameters:
    ///   - content: a range that is not empty, within the content.
    ///   - total: bytes as stored.
    public func span(of content: Range<UInt64>, total: UInt64) -> Span {
        let size = UInt64(contentSize)
        let first = content.lowerBound / size
        let last = (content.upperBound - 1) / size
        return Span(
            stored: first * UInt64(storedSize)..<min((last + 1) * UInt64(storedSize), total), firstFrame: first,
            skip: Int(content.lowerBound % size))
    }
}
