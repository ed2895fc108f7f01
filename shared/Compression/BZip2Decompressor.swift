import CBZip2
import NIOCore

/// bzip2, several streams one after the other too, by libbz2.
public final class BZip2Decompressor: Decompressor {
    private let stream: UnsafeMutablePointer<bz_stream>
    private var input = ByteBuffer()
    /// False: nothing of the present stream was seen yet.
    private var isInStream = false

    public init() {
        stream = .allocate(capacity: 1)
        stream.initialize(to: bz_stream())
        begin()
    }

    private func begin() {
        precondition(BZ2_bzDecompressInit(stream, 0, 0) == BZ_OK, "BZ2_bzDecompressInit failed")
    }

    deinit {
        BZ2_bzDecompressEnd(stream)
        stream.deallocate()
    }

    public var isAtEnd: Bool { !isInStream && input.readableBytes == 0 }

    public func append(_ bytes: ByteBuffer) { input.writeImmutableBuffer(bytes) }

    public func next(limit: Int) throws(DecompressionError) -> ByteBuffer? {
        var output = ByteBufferAllocator().buffer(capacity: limit)
        while output.readableBytes == 0 {
            guard input.readableBytes > 0 || isInStream else { return nil }
            let (code, taken, made) = decompress(into: &output, limit)
            input.moveReaderIndex(forwardBy: taken)
            switch code {
            case BZ_OK: isInStream = true
            case BZ_STREAM_END:
                BZ2_bzDecompressEnd(stream)
                stream.pointee = bz_stream()
                begin()
                isInStream = false
                continue
            default: throw DecompressionError(code: code)
            }
            if made == 0, taken == 0 { break }
        }
        input.discardReadBytes()
        return output.readableBytes > 0 ? output : nil
    }

    private func decompress(into output: inout ByteBuffer, _ limit: Int) -> (code: Int32, taken: Int, made: Int) {
        var (code, taken) = (Int32(0), 0)
        let made = output.writeWithUnsafeMutableBytes(minimumWritableBytes: limit) { room in
            input.withUnsafeReadableBytes { bytes in
                // The library only reads what it takes.
                stream.pointee.next_in = UnsafeMutablePointer(
                    mutating: bytes.baseAddress?.assumingMemoryBound(to: CChar.self))
                stream.pointee.avail_in = UInt32(bytes.count)
                stream.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: CChar.self)
                stream.pointee.avail_out = UInt32(limit)
                code = BZ2_bzDecompress(stream)
                taken = bytes.count - Int(stream.pointee.avail_in)
                return limit - Int(stream.pointee.avail_out)
            }
        }
        return (code, taken, made)
    }
}
