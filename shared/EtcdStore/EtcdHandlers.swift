import NIOCore
import NIOHTTP1

/// A request on a connection that has no other under way.
struct EtcdCall: Sendable {
    var path: String
    var host: String
    var body: [UInt8]
    var answer: EventLoopPromise<EtcdReply>
}

struct EtcdReply: Sendable {
    var status: Int
    var body: [UInt8]
}

/// The connection failed; whether the member acted on the request is not known.
struct EtcdConnectionLost: Error, CustomStringConvertible {
    var description: String
}

enum EtcdHTTP {
    /// More than any answer has: ranges are read in pages, and etcd bounds what a transaction changes.
    static let messageBytesMax = 64 << 20

    static func head(_ call: EtcdCall) -> HTTPRequestHead {
        var headers = HTTPHeaders()
        headers.add(name: "Host", value: call.host)
        headers.add(name: "Content-Type", value: "application/json")
        headers.add(name: "Content-Length", value: "\(call.body.count)")
        // A watch at a member that has no leader then ends instead of staying silent.
        headers.add(name: "Grpc-Metadata-hasleader", value: "true")
        return HTTPRequestHead(version: .http1_1, method: .POST, uri: call.path, headers: headers)
    }

    static func write(_ call: EtcdCall, _ context: ChannelHandlerContext, _ promise: EventLoopPromise<Void>?) {
        let head = HTTPClientRequestPart.head(head(call))
        context.write(NIOAny(head), promise: nil)
        context.write(NIOAny(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: call.body)))), promise: nil)
        context.writeAndFlush(NIOAny(HTTPClientRequestPart.end(nil)), promise: promise)
    }
}

/// Collects whole answers, one request after the other.
final class EtcdCallHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = EtcdCall
    typealias OutboundOut = HTTPClientRequestPart

    private var call: EtcdCall?
    private var status = 0
    private var body: [UInt8] = []
    private var failure = "the connection was closed"

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        let call = unwrapOutboundIn(data)
        guard self.call == nil, context.channel.isActive else {
            let lost = EtcdConnectionLost(description: "the connection is not free")
            call.answer.fail(lost)
            promise?.fail(lost)
            return
        }
        self.call = call
        (status, body) = (0, [])
        EtcdHTTP.write(call, context, promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): status = Int(head.status.code)
        case .body(let part):
            guard body.count + part.readableBytes <= EtcdHTTP.messageBytesMax else {
                failure = "the answer is too large"
                return context.close(promise: nil)
            }
            body.append(contentsOf: part.readableBytesView)
        case .end:
            let done = call
            call = nil
            done?.answer.succeed(EtcdReply(status: status, body: body))
            body = []
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = "\(error)"
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        call?.answer.fail(EtcdConnectionLost(description: failure))
        call = nil
        context.fireChannelInactive()
    }
}

/// Cuts a streamed answer into its messages: a line each.
final class EtcdStreamHandler: ChannelDuplexHandler {
    typealias InboundIn = HTTPClientResponsePart
    typealias OutboundIn = EtcdCall
    typealias OutboundOut = HTTPClientRequestPart

    private let stream: EtcdStream
    private var line: [UInt8] = []
    private var failure = "the connection was closed"

    init(_ stream: EtcdStream) { self.stream = stream }

    func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
        EtcdHTTP.write(unwrapOutboundIn(data), context, promise)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            // The reason follows in the body.
            if head.status != .ok { failure = "\(head.status)" }
        case .body(let part): receive(part.readableBytesView, context)
        case .end:
            if !line.isEmpty { stream.received(line) }
            line = []
            context.close(promise: nil)
        }
    }

    private func receive(_ bytes: ByteBufferView, _ context: ChannelHandlerContext) {
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            line.append(contentsOf: rest[..<end])
            if !line.isEmpty { stream.received(line) }
            line = []
            rest = rest[(end + 1)...]
        }
        line.append(contentsOf: rest)
        guard line.count > EtcdHTTP.messageBytesMax else { return }
        failure = "a message is too large"
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        failure = "\(error)"
        context.close(promise: nil)
    }

    func channelInactive(context: ChannelHandlerContext) {
        stream.ended(failure)
        context.fireChannelInactive()
    }
}
