import Checksums
import Foundation
import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import S3Protocol
import Signatures

enum SignatureVersion: String, Sendable {
    case v4, v2
}

/// Credentials and choices that all connections share.
struct S3ClientSettings: Sendable {
    var endpoints: [S3Endpoint]
    var signer: RequestSigner
    var version = SignatureVersion.v4
    /// Sign the digest of the body, or declare the payload unsigned.
    var signsPayload: Bool
    var timeout: TimeAmount
}

/// Sends S3 requests over one keep-alive connection at a time. Belongs to one event loop.
final class S3Client {
    private let settings: S3ClientSettings
    private let eventLoop: any EventLoop
    private var endpoint: Int
    private var channel: (any Channel)?

    /// - Parameter first: which of the endpoints to begin with; a failed connection moves on to the next.
    init(_ settings: S3ClientSettings, on eventLoop: any EventLoop, first: Int) {
        self.settings = settings
        self.eventLoop = eventLoop
        endpoint = first % settings.endpoints.count
    }

    func close() {
        channel?.close(promise: nil)
        channel = nil
    }

    /// - Parameter path: percent-encoded.
    /// - Parameter version: what the object's metadata is to say.
    func send(
        _ method: HTTPMethod, path: String, query: String = "", body: S3Body = .nothing,
        version: ObjectVersion? = nil, wanted: S3Exchange.Wanted = .head
    ) -> EventLoopFuture<S3Answer> {
        let target = settings.endpoints[endpoint]
        let head: HTTPRequestHead
        do {
            head = try signedHead(method, path, query, body, version, target)
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
        let answer = eventLoop.makePromise(of: S3Answer.self)
        let exchange = S3Exchange(
            head: head, body: body, wanted: wanted, timeout: settings.timeout, answer: answer)
        let ready = connected(to: target)
        ready.whenSuccess { channel in channel.writeAndFlush(exchange, promise: nil) }
        ready.whenFailure { answer.fail($0) }
        return answer.futureResult
    }

    /// The next request goes to the next endpoint over a new connection.
    func moveOn() {
        close()
        endpoint = (endpoint + 1) % settings.endpoints.count
    }

    private func connected(to target: S3Endpoint) -> EventLoopFuture<any Channel> {
        if let channel, channel.isActive { return eventLoop.makeSucceededFuture(channel) }
        let connecting = ClientBootstrap(group: eventLoop)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .connectTimeout(.seconds(5))
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHTTPClientHandlers()
                    try channel.pipeline.syncOperations.addHandler(S3ClientHandler())
                }
            }
            .connect(host: target.host, port: target.port)
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        connecting.whenSuccess { bound.value.channel = $0 }
        return connecting
    }

    private func signedHead(
        _ method: HTTPMethod, _ path: String, _ query: String, _ body: S3Body, _ version: ObjectVersion?,
        _ target: S3Endpoint
    ) throws -> HTTPRequestHead {
        var headers: HTTPHeaders = ["host": target.authority]
        if let version { headers.add(name: ObjectContent.metadataHeader, value: "\(version)") }
        if settings.version == .v2 { headers.add(name: "date", value: HTTPDate.format(Int64(time(nil)))) }
        let request = SignableRequest(
            method: method.rawValue, rawPath: path, rawQuery: query,
            headers: headers.map { SignableRequest.Header($0.name, $0.value) })
        if settings.version == .v2 {
            headers.add(name: "authorization", value: try settings.signer.signV2(request))
        } else {
            let now = SigningTime(seconds: Int64(time(nil)))
            let added = try settings.signer.signV4(request, payload: payload(body), at: now)
            for (name, value) in added.headers { headers.add(name: name, value: value) }
        }
        if method == .PUT || method == .POST { headers.add(name: "content-length", value: "\(body.size)") }
        let uri = query.isEmpty ? path : "\(path)?\(query)"
        return HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: headers)
    }

    private static let emptyDigest = hexDigits(of: HashAlgorithm.sha256.hash([UInt8]()))

    private func payload(_ body: S3Body) -> String {
        switch body {
        case .nothing: Self.emptyDigest
        case .content: settings.signsPayload ? body.digest : "UNSIGNED-PAYLOAD"
        case .document: body.digest
        }
    }
}
