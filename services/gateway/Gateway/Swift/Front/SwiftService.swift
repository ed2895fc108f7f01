import Logging
import NIOCore
import NIOHTTP1

/// Everything that is answered at the addresses of Swift: Keystone, the old login, discovery, and the object store.
final class SwiftService: Sendable {
    let settings: SwiftServiceSettings
    let identity: IdentityAPI
    let operations: SwiftOperations
    private let logger: Logger

    init(settings: SwiftServiceSettings, identity: IdentityAPI, operations: SwiftOperations, logger: Logger) {
        self.settings = settings
        self.identity = identity
        self.operations = operations
        self.logger = logger
    }

    /// What load balancers and clients ask whatever goes on; it costs nothing.
    static let healthPaths: Set<String> = ["/healthcheck", "/info"]

    /// Never throws: an error is a response too.
    func handle(_ request: SwiftRequest, _ trace: SwiftTrace) async -> S3Response {
        let start = ContinuousClock.now
        var response = await answer(request, trace)
        operations.addCORS(to: &response, request)
        if request.method == "HEAD" { response = response.withoutBody }
        if let place = trace.place { operations.s3.log(request, response, place, user: trace.user, since: start) }
        return response
    }

    private func answer(_ request: SwiftRequest, _ trace: SwiftTrace) async -> S3Response {
        do {
            return try await perform(request, trace)
        } catch {
            let answer = SwiftError(error)
            if answer.status >= 500, answer.status != 501 {
                logger.warning(
                    "request failed",
                    metadata: [
                        "request": "\(request.transaction)", "operation": "\(trace.operation)",
                        "status": "\(answer.status)", "error": "\(error)",
                    ])
            }
            return answer.response
        }
    }

    private func perform(_ request: SwiftRequest, _ trace: SwiftTrace) async throws -> S3Response {
        let path = String(decoding: request.path, as: UTF8.self)
        switch path {
        case "/healthcheck":
            trace.note(operation: "swift-health")
            return .text("OK")
        case "/info":
            trace.note(operation: "swift-info")
            return try operations.info(request)
        case _ where IdentityAPI.serves(path):
            trace.note(operation: SwiftTrace.identity)
            return try await identity.handle(request, path: path, trace)
        default: return try await operations.handle(request, trace)
        }
    }
}

/// What the operator has chosen about the service.
struct SwiftServiceSettings: Sendable {
    /// Of accounts' names, before the project's id.
    var accountPrefix: String
    var region: String
    /// Where clients reach the service, without a slash at the end; nil: as they spell it themselves.
    var url: String?
    var rates = WriteRateLimits()
    /// Of the names of accounts that only services may touch; empty: there are none.
    var servicePrefix = ""

    func isServiceAccount(_ account: String) -> Bool { !servicePrefix.isEmpty && account.hasPrefix(servicePrefix) }

    func origin(of request: SwiftRequest) -> String { url ?? request.origin }

    func account(ofProject id: String) -> String { isServiceAccount(id) ? id : accountPrefix + id }

    func storageURL(ofProject id: String, for request: SwiftRequest) -> String {
        origin(of: request) + "/v1/" + account(ofProject: id)
    }
}

extension S3Response {
    static func text(
        _ text: String, status: HTTPResponseStatus = .ok, type: String = "text/plain; charset=utf-8"
    ) -> S3Response {
        S3Response(status: status, headers: ["Content-Type": type], body: .bytes(ByteBuffer(string: text)))
    }

    static func json(_ value: JSON, status: HTTPResponseStatus = .ok, type: String = "application/json") -> S3Response {
        S3Response(status: status, headers: ["Content-Type": type], body: .bytes(ByteBuffer(bytes: value.encoded)))
    }

    /// The same headers; the length stays that of the body.
    var withoutBody: S3Response {
        var response = self
        switch body {
        case .empty: return self
        case .bytes(let bytes):
            response.headers.replaceOrAdd(name: "Content-Length", value: String(bytes.readableBytes))
        case .stream(let length, _): response.headers.replaceOrAdd(name: "Content-Length", value: String(length))
        case .open: break
        }
        response.body = .empty
        return response
    }
}
