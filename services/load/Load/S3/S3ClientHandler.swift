import NIOCore
import NIOHTTP1

/// The client's side of one connection: one exchange at a time, bodies streamed with back-pressure and checked as they
/// pass. Every exchange's promise is completed once.
final class S3ClientHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = S3Exchange
    typealias OutboundOut = HTTPClientRequestPart

    private static let pieceSize = 256 << 10
    private static let textMax = 4 << 20

    private struct Current {
        var exchange: S3Exchange
        var timeout: Scheduled<Void>
        var sent = 0
        var sentAll = false
        var head: HTTPResponseHead?
        var text = ByteBuffer()
        var bytes = 0
        var verifier: ContentVerifier?
    }

    private var current: Current?
    private var isPumping = false

    // MARK: - Sending

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let exchange = unwrapOutboundIn(data)
        guard current == nil, context.channel.isActive else { return exchange.answer.fail(ConnectionFailure.closed) }
        let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
        let timeout = context.eventLoop.scheduleTask(in: exchange.timeout) {
            let (handler, context) = bound.value
            handler.fail(ConnectionFailure.timedOut, context)
        }
        current = Current(exchange: exchange, timeout: timeout)
        context.write(wrapOutboundOut(.head(exchange.head)), promise: promise)
        pump(context)
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        pump(context)
        context.fireChannelWritabilityChanged()
    }

    /// Writes while the socket takes it. `writeAndFlush` may call back into here.
    private func pump(_ context: ChannelHandlerContext) {
        guard !isPumping else { return }
        isPumping = true
        defer { isPumping = false }
        while var now = current, !now.sentAll {
            let body = now.exchange.body
            if now.sent < body.size {
                guard context.channel.isWritable else { break }
                let count = min(Self.pieceSize, body.size - now.sent)
                var piece = context.channel.allocator.buffer(capacity: count)
                piece.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
                    body.fill(UnsafeMutableRawBufferPointer(rebasing: space[..<count]), from: now.sent)
                    return count
                }
                now.sent += count
                current = now
                context.writeAndFlush(wrapOutboundOut(.body(.byteBuffer(piece))), promise: nil)
            } else {
                now.sentAll = true
                current = now
                context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
            }
        }
    }

    // MARK: - Receiving

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): receive(head)
        case .body(let bytes): receive(bytes)
        case .end: finish(context)
        }
    }

    private func receive(_ head: HTTPResponseHead) {
        guard let exchange = current?.exchange, head.status.code >= 200 else { return }
        current?.head = head
        guard (200..<300).contains(head.status.code), case .content(let key) = exchange.wanted else { return }
        current?.verifier = ContentVerifier(
            key: key, metadata: head.headers.first(name: ObjectContent.metadataHeader),
            length: head.headers.first(name: "content-length"))
    }

    private func receive(_ bytes: ByteBuffer) {
        guard let now = current else { return }
        current?.bytes += bytes.readableBytes
        if now.verifier != nil {
            current?.verifier?.receive(bytes)
        } else if case .length = now.exchange.wanted, now.head?.status == .ok {
            return
        } else if now.text.readableBytes + bytes.readableBytes <= Self.textMax {
            current?.text.writeImmutableBuffer(bytes)
        }
    }

    private func finish(_ context: ChannelHandlerContext) {
        guard var now = current, let head = now.head else { return }
        current = nil
        now.timeout.cancel()
        now.verifier?.finish(hasBody: now.exchange.head.method != .HEAD)
        // An early answer leaves the rest of the body unsent: this connection cannot be used again.
        if !now.sentAll || !head.isKeepAlive { context.close(promise: nil) }
        now.exchange.answer.succeed(
            S3Answer(
                status: Int(head.status.code), headers: head.headers, bytes: now.bytes,
                text: String(buffer: now.text), version: now.verifier?.version, fault: now.verifier?.fault))
    }

    // MARK: - Failing

    func channelInactive(context: ChannelHandlerContext) {
        fail(ConnectionFailure.closed, context)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(error, context) }

    private func fail(_ error: any Error, _ context: ChannelHandlerContext) {
        let failed = current
        current = nil
        failed?.timeout.cancel()
        failed?.exchange.answer.fail(error)
        context.close(promise: nil)
    }
}
