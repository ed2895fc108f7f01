import NIOCore
import NIOHTTP1

/// Puts answers of HTTP/1.1 into bytes and hands them to a channel, as few buffers as it can. What frames a body stands
/// in its head: a length, or that it comes in chunks.
struct ResponseWriter {
    /// A piece of a body that is no longer is copied behind what goes before it: another buffer would cost more.
    static let copiedMax = 8 << 10
    private static let headSize = 512

    /// Leaves with the next piece of the body that is not copied, or when it is handed over.
    private var collected = ByteBuffer()
    private var isChunked = false
    /// Bytes that the channel was given so far.
    private(set) var handedOver: UInt64 = 0

    mutating func append(_ head: HTTPResponseHead) {
        isChunked = head.headers.contains(name: "transfer-encoding")
        collected.reserveCapacity(minimumWritableBytes: Self.headSize)
        collected.writeStaticString("HTTP/1.1 ")
        collected.writeString(String(head.status.code))
        collected.writeStaticString(" ")
        collected.writeString(head.status.reasonPhrase)
        collected.writeStaticString("\r\n")
        for (name, value) in head.headers {
            collected.writeString(name)
            collected.writeStaticString(": ")
            collected.writeString(value)
            collected.writeStaticString("\r\n")
        }
        collected.writeStaticString("\r\n")
    }

    mutating func append(_ body: ByteBuffer, to context: ChannelHandlerContext) {
        guard body.readableBytes > 0 else { return }
        if isChunked {
            collected.writeString(String(body.readableBytes, radix: 16))
            collected.writeStaticString("\r\n")
        }
        if body.readableBytes <= Self.copiedMax {
            collected.writeImmutableBuffer(body)
        } else {
            handOver(to: context, promise: nil)
            handedOver += UInt64(body.readableBytes)
            context.write(NIOAny(body), promise: nil)
        }
        if isChunked { collected.writeStaticString("\r\n") }
    }

    mutating func appendEnd() {
        if isChunked { collected.writeStaticString("0\r\n\r\n") }
    }

    /// - Parameter promise: kept when the channel has taken everything so far.
    mutating func handOver(to context: ChannelHandlerContext, promise: EventLoopPromise<Void>?) {
        guard promise != nil || collected.readableBytes > 0 else { return }
        handedOver += UInt64(collected.readableBytes)
        context.write(NIOAny(collected), promise: promise)
        // The channel has the bytes now: cleared, the buffer would be copied.
        collected = ByteBuffer()
    }
}
