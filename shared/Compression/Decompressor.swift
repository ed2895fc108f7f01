import NIOCore

/// Unpacks a compressed stream as it comes: compressed bytes are appended, content is taken. Keeps no more than what was
/// appended last and the window of the algorithm, however well the stream is compressed.
///
/// Used by one task at a time.
public protocol Decompressor: AnyObject {
    func append(_ bytes: ByteBuffer)

    /// Content of at most `limit` bytes; nil: append more, or end the stream.
    ///
    /// - Throws: ``DecompressionError``.
    func next(limit: Int) throws(DecompressionError) -> ByteBuffer?

    /// Whether what was appended ends where a compressed stream ends.
    var isAtEnd: Bool { get }
}

/// What was appended is not of the format, or was changed on its way.
public struct DecompressionError: Error, Sendable, Equatable {
    /// Of the library.
    public let code: Int32
}
