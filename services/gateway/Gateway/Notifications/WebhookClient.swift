import ClusterState
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// Why an event was not delivered. It is tried again.
struct WebhookFailure: Error, CustomStringConvertible {
    var description: String
}

/// Posts to one webhook, over one connection that is kept while it is good.
final class WebhookClient: Sendable {
    private struct Kept {
        var address: WebhookAddress
        var channel: any Channel
    }

    /// nil: the system's trust cannot be used.
    private let tls: NIOSSLContext?
    private let timeout: Duration
    private let kept = Mutex<Kept?>(nil)

    init(tls: NIOSSLContext?, timeout: Duration) {
        self.tls = tls
        self.timeout = timeout
    }

    /// Returns when the receiver has answered with a 2xx.
    func post(_ body: [UInt8], to address: WebhookAddress, authorization: String?) async throws {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        let channel = try await connection(to: address)
        let answer = channel.eventLoop.makePromise(of: WebhookAnswer.self)
        let timer = channel.eventLoop.scheduleTask(deadline: deadline) {
            answer.fail(WebhookFailure(description: "no answer in time"))
            channel.close(promise: nil)
        }
        defer { timer.cancel() }
        let post = WebhookPost(
            head: Self.head(address, size: body.count, authorization), body: body, answer: answer)
        let result = try await withTaskCancellationHandler {
            channel.writeAndFlush(post).cascadeFailure(to: answer)
            return try await answer.futureResult.get()
        } onCancel: {
            channel.close(promise: nil)
        }
        if result.keepsConnection, channel.isActive {
            kept.withLock { $0 = Kept(address: address, channel: channel) }
        } else {
            channel.close(promise: nil)
        }
        guard (200..<300).contains(result.status) else {
            throw WebhookFailure(description: "the answer was \(result.status)")
        }
    }

    func close() { kept.withLock { kept in kept.take() }?.channel.close(promise: nil) }

    private static func head(_ address: WebhookAddress, size: Int, _ authorization: String?) -> HTTPRequestHead {
        let host = address.host.contains(":") ? "[\(address.host)]" : address.host
        let isUsual = address.port == (address.isSecure ? 443 : 80)
        var headers: HTTPHeaders = [
            "Host": isUsual ? host : "\(host):\(address.port)", "User-Agent": "Martlet",
            "Content-Type": "application/json", "Content-Length": String(size),
        ]
        if let authorization { headers.add(name: "Authorization", value: authorization) }
        return HTTPRequestHead(version: .http1_1, method: .POST, uri: address.path, headers: headers)
    }

    private func connection(to address: WebhookAddress) async throws -> any Channel {
        if let kept = kept.withLock({ kept in kept.take() }) {
            if kept.address == address, kept.channel.isActive { return kept.channel }
            kept.channel.close(promise: nil)
        }
        guard !address.isSecure || tls != nil else {
            throw WebhookFailure(description: "there are no certificates to trust: see gateway.webhook_authority")
        }
        return try await OutgoingConnection.open(
            host: address.host, port: address.port, tls: address.isSecure ? tls : nil, timeout: TimeAmount(timeout),
            on: MultiThreadedEventLoopGroup.singleton
        ) { WebhookHandler() }
    }
}

struct WebhookPost: Sendable {
    var head: HTTPRequestHead
    var body: [UInt8]
    var answer: EventLoopPromise<WebhookAnswer>
}

struct WebhookAnswer: Sendable {
    var status: Int
    var keepsConnection: Bool
}

/// One post after the other on one connection. What answers have besides their status is thrown away.
private final class WebhookHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = WebhookPost
    typealias OutboundOut = HTTPClientRequestPart

    /// A receiver that tells more is not listened to.
    private static let answerSizeMax = 1 << 20

    private var answer: EventLoopPromise<WebhookAnswer>?
    private var result = WebhookAnswer(status: 0, keepsConnection: true)
    private var received = 0
    private var failure = "the connection was closed"

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let post = unwrapOutboundIn(data)
        answer = post.answer
        received = 0
        context.write(wrapOutboundOut(.head(post.head)), promise: nil)
        context.write(wrapOutboundOut(.body(.byteBuffer(ByteBuffer(bytes: post.body)))), promise: nil)
        context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            result = WebhookAnswer(status: Int(head.status.code), keepsConnection: head.isKeepAlive)
        case .body(let part):
            received += part.readableBytes
            guard received <= Self.answerSizeMax else {
                failure = "the answer is too large"
                return context.close(promise: nil)
            }
        case .end:
            answer?.succeed(result)
            answer = nil
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = "\(error)"
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer?.fail(WebhookFailure(description: failure))
        answer = nil
        context.fireChannelInactive()
    }
}
