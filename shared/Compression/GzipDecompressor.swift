import CISAL
import NIOCore

/// gzip (RFC 1952), several members one after the other too, by libisal.
public final class GzipDecompressor: Decompressor {
    private let state: UnsafeMutablePointer<inflate_state>
    private var input = ByteBuffer()
    /// Of the present member; false: nothing of it was seen yet.
    private var isInMember = false

    public init() {
        state = .allocate(capacity: 1)
        isal_inflate_init(state)
        state.pointee.crc_flag = UInt32(ISAL_GZIP)
    }

    deinit { state.deallocate() }

    public var isAtEnd: Bool { !isInMember && input.readableBytes == 0 }

    public func append(_ bytes: ByteBuffer) { input.writeImmutableBuffer(bytes) }

    public func next(limit: Int) throws(DecompressionError) -> ByteBuffer? {
        var output = ByteBufferAllocator().buffer(capacity: limit)
        while output.readableBytes == 0 {
            // What the library keeps may give more content without more input.
            guard input.readableBytes > 0 || isInMember else { return nil }
            let before = input.readableBytes
            let (code, taken, made) = inflate(into: &output, limit)
            input.moveReaderIndex(forwardBy: taken)
            guard code == ISAL_DECOMP_OK || code == ISAL_END_INPUT else { throw DecompressionError(code: code) }
            isInMember = true
            if state.pointee.block_state == ISAL_BLOCK_FINISH {
                isal_inflate_reset(state)
                isInMember = false
                if made == 0 { continue }
            } else if made == 0, before == taken {
                // All input is used up, and there is no more content in it.
                break
            }
        }
        input.discardReadBytes()
        return output.readableBytes > 0 ? output : nil
    }

    private func inflate(into output: inout ByteBuffer, _ limit: Int) -> (code: Int32, taken: Int, made: Int) {
        var (code, taken) = (Int32(0), 0)
        let made = output.writeWithUnsafeMutableBytes(minimumWritableBytes: limit) { room in
            input.withUnsafeReadableBytes { bytes in
                // The library only reads what it takes.
                state.pointee.next_in = UnsafeMutablePointer(
                    mutating: bytes.baseAddress?.assumingMemoryBound(to: UInt8.self))
                state.pointee.avail_in = UInt32(bytes.count)
                state.pointee.next_out = room.baseAddress?.assumingMemoryBound(to: UInt8.self)
                state.pointee.avail_out = UInt32(limit)
                code = isal_inflate(state)
                taken = bytes.count - Int(state.pointee.avail_in)
                return limit - Int(state.pointee.avail_out)
            }
        }
        return (code, taken, made)
    }
}
