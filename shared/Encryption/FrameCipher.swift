import Checksums
import NIOCore

/// Encrypts and decrypts the frames of one blob. Not for use by two threads at once.
public final class FrameCipher: @unchecked Sendable {
    public struct NotAuthentic: Error, Sendable, Equatable {
        public let frame: UInt64
    }

    public let format: FrameFormat
    private let cipher: AuthenticatedCipher

    /// - Parameters:
    ///   - dataKey: of the object, 32 random bytes.
    ///   - blob: what is unique to this content: the key of its frames is derived from both, so that no nonce is ever
    ///     used twice under one key, however many blobs an object has.
    public init(dataKey: [UInt8], blob: [UInt8], format: FrameFormat = .standard) {
        self.format = format
        cipher = AuthenticatedCipher(key: hmac(.sha256, key: dataKey, Array("martlet blob ".utf8) + blob))
    }

    /// Content of whole frames, and of the last one, as it is to be stored.
    ///
    /// - Parameters:
    ///   - first: number of the first frame.
    ///   - isEnd: the content ends here.
    public func seal(_ content: ByteBuffer, first: UInt64, isEnd: Bool) -> ByteBuffer {
        let total = Int(format.stored(content: UInt64(content.readableBytes)))
        var sealed = ByteBufferAllocator().buffer(capacity: total)
        sealed.writeWithUnsafeMutableBytes(minimumWritableBytes: total) { target in
            content.withUnsafeReadableBytes { source in
                var (from, to, frame) = (0, 0, first)
                while from < source.count {
                    let end = min(from + format.contentSize, source.count)
                    let plain = UnsafeRawBufferPointer(rebasing: source[from..<end])
                    cipher.seal(
                        plain, nonce: Self.nonce(frame, isLast: isEnd && end == source.count),
                        to: target.baseAddress! + to, tag: target.baseAddress! + to + plain.count)
                    to += plain.count + FrameFormat.tagSize
                    (from, frame) = (end, frame + 1)
                }
            }
            return total
        }
        return sealed
    }

    /// The content of whole frames, and of the last one.
    ///
    /// - Parameter isEnd: the last of these frames is the last of the content.
    public func open(_ sealed: ByteBuffer, first: UInt64, isEnd: Bool) throws(NotAuthentic) -> ByteBuffer {
        guard let total = format.content(stored: UInt64(sealed.readableBytes)) else { throw NotAuthentic(frame: first) }
        var content = ByteBufferAllocator().buffer(capacity: Int(total))
        var damaged: UInt64?
        content.writeWithUnsafeMutableBytes(minimumWritableBytes: Int(total)) { target in
            sealed.withUnsafeReadableBytes { source in
                var (from, to, frame) = (0, 0, first)
                while from < source.count, damaged == nil {
                    let end = min(from + format.storedSize, source.count)
                    let body = UnsafeRawBufferPointer(rebasing: source[from..<(end - FrameFormat.tagSize)])
                    let isAuthentic = cipher.open(
                        body, nonce: Self.nonce(frame, isLast: isEnd && end == source.count),
                        tag: source.baseAddress! + end - FrameFormat.tagSize, to: target.baseAddress! + to)
                    if !isAuthentic { damaged = frame }
                    to += body.count
                    (from, frame) = (end, frame + 1)
                }
            }
            return Int(total)
        }
        if let damaged { throw NotAuthentic(frame: damaged) }
        return content
    }

    private static func nonce(_ frame: UInt64, isLast: Bool) -> [UInt8] {
        [isLast ? 1 : 0, 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: frame >> UInt64(56 - 8 * $0)) }
    }
}
