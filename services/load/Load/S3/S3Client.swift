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
    /// The number of the endpoint in use.
    private(set) var endpoint: Int
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

    /// - Parameter signed: The headers with the signature for the endpoint in use; nil: it is signed now.
    func send(_ request: S3Request, signed: HTTPHeaders? = nil) -> EventLoopFuture<S3Answer> {
        let target = settings.endpoints[endpoint]
        let headers: HTTPHeaders
        do {
            headers = try signed ?? settings.signed(request, for: target, at: Int64(time(nil)))
        } catch {
            return eventLoop.makeFailedFuture(error)
        }
        let head = HTTPRequestHead(version: .http1_1, method: request.method, uri: request.uri, headers: headers)
        let answer = eventLoop.makePromise(of: S3Answer.self)
        let exchange = S3Exchange(
            head: head, body: request.body, wanted: request.wanted, timeout: settings.timeout, answer: answer)
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
}

extension S3ClientSettings {
    private static let emptyDigest = hexDigits(of: HashAlgorithm.sha256.hash([UInt8]()))

    /// All headers of a request to an endpoint.
    /// - Parameter seconds: Since 1970.
    func signed(_ request: S3Request, for endpoint: S3Endpoint, at seconds: Int64) throws -> HTTPHeaders {
        var headers: HTTPHeaders = ["host": endpoint.authority]
        if let version = request.version { headers.add(name: ObjectContent.metadataHeader, value: "\(version)") }
        if version == .v2 { headers.add(name: "date", value: HTTPDate.format(seconds)) }
        let signable = SignableRequest(
            method: request.method.rawValue, rawPath: request.path, rawQuery: request.query,
            headers: headers.map { SignableRequest.Header($0.name, $0.value) })
        if version == .v2 {
            headers.add(name: "authorization", value: try signer.signV2(signable))
        } else {
            let added = try signer.signV4(
                signable, payload: payload(request.body), at: SigningTime(seconds: seconds))
            for (name, value) in added.headers { headers.add(name: name, value: value) }
        }
        if request.method == .PUT || request.method == .POST {
            headers.add(name: "content-length", value: "\(request.body.size)")
        }
        return headers
    }

    private func payload(_ body: S3Body) -> String {
        switch body {
        case .nothing: Self.emptyDigest
        case .content: signsPayload ? body.digest : "UNSIGNED-PAYLOAD"
        case .document: body.digest
        }
    }
}
