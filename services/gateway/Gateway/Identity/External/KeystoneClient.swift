import Foundation
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Asks another Keystone.
protocol KeystoneAsking: Sendable {
    func send(_ request: KeystoneQuestion) async throws -> KeystoneReply
}

struct KeystoneQuestion: Sendable {
    var method: HTTPMethod
    /// Below the address of the Keystone: `/v3/auth/tokens`.
    var path: String
    var headers: HTTPHeaders = [:]
    var body: [UInt8] = []
}

struct KeystoneReply: Sendable {
    var status: Int
    var headers: HTTPHeaders
    var body: [UInt8]
}

/// A small HTTP client: one connection a request, bounded in time and size.
struct KeystoneClient: KeystoneAsking {
    /// The Keystone cannot be asked now.
    struct Failure: Error, CustomStringConvertible {
        var description: String
    }

    static let bodyMax = 1 << 20

    private let host: String
    private let port: Int
    /// Without a slash at the end.
    private let path: String
    private let tls: NIOSSLContext?
    private let timeout: TimeAmount

    /// - Parameter authority: a file of certificates; empty: those of the system.
    init(url: String, authority: String = "", timeout: TimeAmount = .seconds(10)) throws {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(), let host = parts.host,
            ["http", "https"].contains(scheme)
        else { throw Failure(description: "no address of a Keystone: \(url)") }
        self.host = host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : host
        port = parts.port ?? (scheme == "https" ? 443 : 80)
        var path = parts.percentEncodedPath
        while path.hasSuffix("/") { path.removeLast() }
        // Operators write the address with or without the version.
        self.path = path.hasSuffix("/v3") ? String(path.dropLast(3)) : path
        self.timeout = timeout
        tls = scheme == "https" ? try OutgoingConnection.trust(authority: authority) : nil
    }

    func send(_ request: KeystoneQuestion) async throws -> KeystoneReply {
        let deadline = NIODeadline.now() + timeout
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        let promise = loop.makePromise(of: KeystoneReply.self)
        let channel: any Channel
        do { channel = try await connect(loop, promise) } catch {
            let failure = Failure(description: "no connection to \(host):\(port): \(error)")
            promise.fail(failure)
            throw failure
        }
        let timer = loop.scheduleTask(deadline: deadline) {
            promise.fail(Failure(description: "no answer in time"))
            channel.close(promise: nil)
        }
        defer {
            timer.cancel()
            channel.close(promise: nil)
        }
        channel.write(HTTPClientRequestPart.head(head(request)), promise: nil)
        channel.write(HTTPClientRequestPart.body(.byteBuffer(ByteBuffer(bytes: request.body))), promise: nil)
        channel.writeAndFlush(HTTPClientRequestPart.end(nil)).cascadeFailure(to: promise)
        return try await promise.futureResult.get()
    }

    private func head(_ request: KeystoneQuestion) -> HTTPRequestHead {
        var headers = request.headers
        headers.add(name: "Host", value: (host.contains(":") ? "[\(host)]" : host) + ":\(port)")
        headers.add(name: "Accept", value: "application/json")
        headers.add(name: "Connection", value: "close")
        if !request.body.isEmpty {
            headers.add(name: "Content-Type", value: "application/json")
            headers.add(name: "Content-Length", value: String(request.body.count))
        }
        return HTTPRequestHead(version: .http1_1, method: request.method, uri: path + request.path, headers: headers)
    }

    private func connect(_ loop: any EventLoop, _ promise: EventLoopPromise<KeystoneReply>) async throws -> any Channel
    {
        try await OutgoingConnection.open(host: host, port: port, tls: tls, timeout: timeout, on: loop) {
            KeystoneReplyHandler(promise)
        }
    }
}

/// Collects one answer.
private final class KeystoneReplyHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPClientResponsePart

    private let promise: EventLoopPromise<KeystoneReply>
    private var reply: KeystoneReply?

    init(_ promise: EventLoopPromise<KeystoneReply>) { self.promise = promise }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head):
            reply = KeystoneReply(status: Int(head.status.code), headers: head.headers, body: [])
        case .body(let part):
            guard let size = reply?.body.count, size + part.readableBytes <= KeystoneClient.bodyMax else {
                return fail(context, "the answer is too large")
            }
            reply?.body.append(contentsOf: part.readableBytesView)
        case .end:
            guard let reply else { return }
            promise.succeed(reply)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) { fail(context, "\(error)") }

    func channelInactive(context: ChannelHandlerContext) {
        promise.fail(KeystoneClient.Failure(description: "the connection was closed"))
        context.fireChannelInactive()
    }

    private func fail(_ context: ChannelHandlerContext, _ reason: String) {
        promise.fail(KeystoneClient.Failure(description: reason))
        context.close(promise: nil)
    }
}
