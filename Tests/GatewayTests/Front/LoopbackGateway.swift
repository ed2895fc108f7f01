import ClusterState
import Logging
import Model
import NIOCore
import NIOHTTP1
import NIOPosix
import Observability
import S3Protocol
import Signatures
import Synchronization
import Wire

@testable import Gateway

/// A cluster's state that does not change, or changes when it is refreshed.
final class FixedCluster: ClusterViewing {
    private let current: Mutex<ClusterView>
    private let next: ClusterView?

    init(users: [UserRecord], afterRefresh: [UserRecord]? = nil) {
        current = Mutex(Self.view(users))
        next = afterRefresh.map(Self.view)
    }

    var view: ClusterView { current.withLock { $0 } }

    func refresh() async throws {
        if let next { current.withLock { $0 = next } }
    }

    private static func view(_ users: [UserRecord]) -> ClusterView {
        ClusterView(
            revision: 1,
            entries: users.map { StateEntry(key: ClusterKeys.user($0.id), value: $0.encoded(), revision: 1) })
    }
}

/// Answers requests by a closure and remembers them.
final class StubHandler: S3Handling {
    typealias Answer = @Sendable (S3Request) async -> S3Response

    private let answer: Answer
    private let seen = Mutex<[S3Request]>([])
    private let refused = Mutex<[(request: S3Request, status: Int, code: S3ErrorCode)]>([])

    init(_ answer: @escaping Answer) { self.answer = answer }

    var requests: [S3Request] { seen.withLock { $0 } }
    /// Those that were not handed over.
    var refusals: [(request: S3Request, status: Int, code: S3ErrorCode)] { refused.withLock { $0 } }

    func noteRefusal(
        of request: S3Request, _ response: S3Response, _ code: S3ErrorCode, since start: ContinuousClock.Instant
    ) {
        refused.withLock { $0.append((request, Int(response.status.code), code)) }
    }

    func handle(_ request: S3Request) async -> S3Response {
        seen.withLock { $0.append(request) }
        return await answer(request)
    }

    /// Reads the body and answers what it was about.
    static let echo: Answer = { request in
        do {
            var size = 0
            while let bytes = try await request.body.next() { size += bytes.readableBytes }
            let text = "\(request.operation.rawValue) \(request.bucket ?? "-") \(request.key ?? "-") \(size)"
            return S3Response(headers: ["ETag": "\"e\""], body: .bytes(ByteBuffer(string: text)))
        } catch {
            let error = error as? S3Error ?? S3Error(.internalError)
            return .xml(error.xml(requestID: request.id), status: .init(statusCode: error.status))
        }
    }
}

/// A front on a loopback port with a stub behind it.
final class LoopbackGateway: Sendable {
    static let accessKey = "AKIDEXAMPLE"
    static let secret = "secret"
    /// The gateway's clock stands still.
    static let time = SigningTime("20250314T150926Z")!

    static let user = UserRecord(id: "alice", role: 1, accessKeyId: accessKey, sealedSecret: Array(secret.utf8))

    let handler: StubHandler
    let front: Front
    let server: FrontServer
    let metrics = MetricsRegistry()

    private init(
        _ limits: FrontLimits, _ cluster: any ClusterViewing, _ log: AccessLog?, _ answer: @escaping StubHandler.Answer
    ) {
        handler = StubHandler(answer)
        front = Front(
            name: "gateway-1", limits: limits, names: HostNames(["s3.amazonaws.com", "localhost", "my.endpoint"]),
            authenticator: Authenticator(
                cluster: cluster, unseal: { $0 }, allowsV2: true, refresh: SharedRefresh(cluster: cluster)),
            handler: handler,
            metrics: FrontMetrics(metrics), accessLog: log, clock: { Self.time.seconds })
        server = FrontServer(front: front, threads: 1, logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Runs `body` against a gateway that is up, and stops it.
    static func run<R: Sendable>(
        limits: FrontLimits = FrontLimits(), cluster: any ClusterViewing = FixedCluster(users: [user]),
        log: AccessLog? = nil,
        answer: @escaping StubHandler.Answer = StubHandler.echo, _ body: (LoopbackGateway) async throws -> R
    ) async throws -> R {
        var limits = limits
        limits.stopTimeout = .milliseconds(200)
        let gateway = LoopbackGateway(limits, cluster, log, answer)
        try await gateway.server.start(host: "127.0.0.1", port: 0)
        do {
            let result = try await body(gateway)
            await gateway.server.stop()
            return result
        } catch {
            await gateway.server.stop()
            throw error
        }
    }

    func connect() async throws -> RawClient { try await RawClient.connect(port: server.port) }

    /// Sends one request on its own connection; the answer's whole text.
    func exchange(_ text: String) async throws -> RawClient.Answer {
        let client = try await connect()
        defer { client.close() }
        client.send(text)
        return try await client.answer()
    }

    /// The text of a request signed with version 4.
    static func signed(
        _ method: String, _ target: String, headers: [(String, String)] = [], payload: String = "UNSIGNED-PAYLOAD",
        body: String = "", host: String = "localhost"
    ) throws -> (text: String, chunkSigner: ChunkSigner) {
        let parts = target.split(separator: "?", maxSplits: 1).map(String.init)
        var request = SignableRequest(
            method: method, rawPath: parts[0], rawQuery: parts.count > 1 ? parts[1] : "",
            headers: [.init("Host", host)] + headers.map { .init($0.0, $0.1) })
        let signer = RequestSigner(accessKeyID: accessKey, secret: secret)
        let signed = try signer.signV4(request, payload: payload, at: time)
        request.headers += signed.headers.map { .init($0.name, $0.value) }
        var text = "\(method) \(target) HTTP/1.1\r\n"
        for header in request.headers { text += "\(header.name): \(header.value)\r\n" }
        if !body.isEmpty { text += "Content-Length: \(body.utf8.count)\r\n" }
        return (text + "\r\n" + body, signed.chunkSigner)
    }
}
