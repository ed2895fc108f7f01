import Checksums
import NIOCore
import S3Protocol

/// The body of a request: decoded, hashed as it passes, verified at its end.
///
/// One task reads it. Bytes that were read must not be made visible before the end was reached: only then are length,
/// digests and signatures known to be right.
public final class RequestBody: Sendable {
    /// What is known after the verified end.
    public struct Digests: Sendable, Equatable {
        /// Present when `computesMD5` was asked for, or the client sent `Content-MD5`.
        public var md5: [UInt8]?
        /// Checksums that the client asked for in headers or in the trailer: `crc32`, `crc32c`, `crc64nvme`, `sha1`, `sha256`.
        public var checksums: [String: [UInt8]]

        public init(md5: [UInt8]? = nil, checksums: [String: [UInt8]] = [:]) {
            self.md5 = md5
            self.checksums = checksums
        }
    }

    /// Number of bytes after decoding; nil when the client does not say (chunked transfer).
    public let declaredLength: UInt64?

    init(declaredLength: UInt64?) {
        self.declaredLength = declaredLength
    }

    /// A body that is at hand: for tests of handlers.
    public convenience init(bytes: ByteBuffer) {
        self.init(declaredLength: UInt64(bytes.readableBytes))
    }

    /// The next bytes; nil at the verified end. Throws ``S3Error``: `BadDigest`, `IncompleteBody`, `SignatureDoesNotMatch`…
    public func next() async throws -> ByteBuffer? { nil }

    /// The next `count` bytes in one piece, fewer at the end; nil at the verified end.
    public func read(_ count: Int) async throws -> ByteBuffer? { nil }

    /// The whole body; `EntityTooLarge` or `MaxMessageLengthExceeded` when it is longer than `limit`.
    public func collect(upTo limit: Int) async throws -> ByteBuffer { ByteBuffer() }

    /// Valid after ``next()`` or ``read(_:)`` has returned nil, or ``collect(upTo:)`` has returned.
    public var digests: Digests { Digests() }
}
