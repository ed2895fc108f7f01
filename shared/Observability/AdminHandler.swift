import NIOCore
import NIOHTTP1
import Synchronization

/// One connection of the admin server: small GET and HEAD requests, one at a time.
final class AdminHandler: ChannelInboundHandler, Sendable {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let metrics: MetricsRegistry
    private let handlers: AdminServer.Handlers
    private let head = Mutex<HTTPRequestHead?>(nil)

    init(metrics: MetricsRegistry, handlers: AdminServer.Handlers) {
        self.metrics = metrics
        self.handlers = handlers
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let request): head.withLock { $0 = request }
        case .body: break
        case .end:
            guard let request = head.withLock({ $0.take() }) else { return }
            if let answer = Self.answerAtOnce(request) {
                return Self.write(answer, to: request, on: context.channel)
            }
            let promise = context.eventLoop.makePromise(of: Answer.self)
            promise.completeWithTask { [self] in await answer(request) }
            let channel = context.channel
            promise.futureResult.whenSuccess { Self.write($0, to: request, on: channel) }
        }
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if event is IdleStateHandler.IdleStateEvent { context.close(promise: nil) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

    private struct Answer: Sendable {
        var status: HTTPResponseStatus
        var type = "application/json"
        var body: String
    }

    /// Without a task: that the process lives is told even while its tasks wait for a disk.
    private static func answerAtOnce(_ request: HTTPRequestHead) -> Answer? {
        guard request.method == .GET || request.method == .HEAD else {
            return Answer(status: .methodNotAllowed, body: "{\"error\":\"only GET and HEAD\"}\n")
        }
        return path(of: request) == "/health/live" ? Answer(status: .ok, body: "{\"status\":\"ok\"}\n") : nil
    }

    private static func path(of request: HTTPRequestHead) -> Substring { request.uri.prefix { $0 != "?" } }

    private func answer(_ request: HTTPRequestHead) async -> Answer {
        switch Self.path(of: request) {
        case "/health/ready": return await readiness()
        case "/health/cluster":
            guard let cluster = handlers.cluster else { break }
            let health = await cluster()
            return Answer(status: health.isGood ? .ok : .serviceUnavailable, body: health.json + "\n")
        case "/metrics":
            return Answer(status: .ok, type: OpenMetrics.contentType, body: metrics.render())
        default: break
        }
        return Answer(status: .notFound, body: "{\"error\":\"not found\"}\n")
    }

    private func readiness() async -> Answer {
        let checks = await handlers.readiness()
        let ready = checks.values.allSatisfy { $0 }
        let list = checks.sorted { $0.key < $1.key }.map { "\(JSONText.quoted($0.key)):\($0.value)" }
        let status = ready ? "ok" : "unavailable"
        let body = "{\"status\":\"\(status)\",\"checks\":{\(list.joined(separator: ","))}}\n"
        return Answer(status: ready ? .ok : .serviceUnavailable, body: body)
    }

    private static func write(_ answer: Answer, to request: HTTPRequestHead, on channel: any Channel) {
        let keepAlive = request.isKeepAlive
        var headers: HTTPHeaders = ["content-type": answer.type, "content-length": "\(answer.body.utf8.count)"]
        if !keepAlive { headers.add(name: "connection", value: "close") }
        let head = HTTPResponseHead(version: request.version, status: answer.status, headers: headers)
        channel.write(HTTPServerResponsePart.head(head), promise: nil)
        if request.method != .HEAD {
            let body = channel.allocator.buffer(string: answer.body)
            channel.write(HTTPServerResponsePart.body(.byteBuffer(body)), promise: nil)
        }
        let written = channel.writeAndFlush(HTTPServerResponsePart.end(nil))
        if !keepAlive { written.whenComplete { _ in channel.close(promise: nil) } }
    }
}

/// Counts open connections and turns away those above the limit.
final class ConnectionLimit: Sendable {
    private let max: Int
    private let open = Atomic<Int>(0)

    init(max: Int) { self.max = max }

    func enter(_ channel: any Channel) -> Bool {
        guard open.wrappingAdd(1, ordering: .relaxed).newValue <= max else {
            open.wrappingSubtract(1, ordering: .relaxed)
            return false
        }
        channel.closeFuture.whenComplete { [self] _ in open.wrappingSubtract(1, ordering: .relaxed) }
        return true
    }
}
