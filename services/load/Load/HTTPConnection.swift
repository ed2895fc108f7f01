import NIOCore
import NIOHTTP1
import NIOPosix

/// One request at a time over one kept-alive connection, opened again when it broke.
final class HTTPConnection: @unchecked Sendable {
    // Used by one task at a time: its owner's loop.
    private let host: String
    private let port: Int
    private let group: any EventLoopGroup
    private let timeout: TimeAmount
    private var channel: (any Channel)?

    init(host: String, port: Int, group: any EventLoopGroup, timeout: TimeAmount) {
        self.host = host
        self.port = port
        self.group = group
        self.timeout = timeout
    }

    func send(_ head: HTTPRequestHead, body: ByteBuffer?) async throws -> HTTPAnswer {
        let channel = try await connected()
        let promise = channel.eventLoop.makePromise(of: HTTPAnswer.self)
        let timer = channel.eventLoop.scheduleTask(in: timeout) {
            promise.fail(LoadError.timedOut)
            channel.close(promise: nil)
        }
        channel.writeAndFlush(OutgoingHTTP(head: head, body: body, answer: promise), promise: nil)
        do {
            let answer = try await promise.futureResult.get()
            timer.cancel()
            if !answer.keepAlive { close() }
            return answer
        } catch {
            timer.cancel()
            close()
            throw error
        }
    }

    func close() {
        channel?.close(promise: nil)
        channel = nil
    }

    private func connected() async throws -> any Channel {
        if let channel, channel.isActive { return channel }
        let fresh = try await ClientBootstrap(group: group)
            .connectTimeout(timeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(HTTPExchange())
                }
            }
            .connect(host: host, port: port).get()
        channel = fresh
        return fresh
    }
}

struct HTTPAnswer: Sendable {
    var status: HTTPResponseStatus
    var headers: HTTPHeaders
    var body: ByteBuffer
    var keepAlive: Bool
}

private struct OutgoingHTTP: Sendable {
    var head: HTTPRequestHead
    var body: ByteBuffer?
    var answer: EventLoopPromise<HTTPAnswer>
}

/// Writes one request and collects its response.
private final class HTTPExchange: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = OutgoingHTTP
    typealias OutboundOut = HTTPClientRequestPart

    private var waiting: EventLoopPromise<HTTPAnswer>?
    private var answer: HTTPAnswer?

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let request = unwrapOutboundIn(data)
        guard context.channel.isActive, waiting == nil else {
            request.answer.fail(LoadError.connectionLost)
            return
        }
        waiting = request.answer
        context.write(wrapOutboundOut(.head(request.head)), promise: nil)
        if let body = request.body { context.write(wrapOutboundOut(.body(.byteBuffer(body))), promise: nil) }
        context.write(wrapOutboundOut(.end(nil)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            guard head.status != .continue else { return }
            answer = HTTPAnswer(
                status: head.status, headers: head.headers, body: ByteBuffer(), keepAlive: head.isKeepAlive)
        case .body(let bytes):
            answer?.body.writeImmutableBuffer(bytes)
        case .end:
            guard let answer else { return }
            self.answer = nil
            waiting?.succeed(answer)
            waiting = nil
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        fail(LoadError.connectionLost)
        context.fireChannelInactive()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        fail(error)
        context.close(promise: nil)
    }

    private func fail(_ error: any Error) {
        waiting?.fail(error)
        waiting = nil
        answer = nil
    }
}

enum LoadError: Error, CustomStringConvertible {
    case connectionLost
    case timedOut
    case wrongBytes(key: String)
    case usage(String)

    var description: String {
        switch self {
        case .connectionLost: "the connection was lost"
        case .timedOut: "no answer in time"
        case .wrongBytes(let key): "wrong bytes in \(key)"
        case .usage(let text): text
        }
    }
}
