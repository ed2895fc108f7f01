import Logging
import NIOCore
import NIOHTTP1
import S3Protocol
import Signatures
import Synchronization
import Wire

/// Turns heads and bodies into answers: parses, authenticates, hands over to the operations, measures, logs.
/// Knows nothing of sockets.
final class Front: ClientFront {
    let limits: FrontLimits
    let metrics: FrontMetrics
    let budget: MemoryBudget
    private let names: HostNames
    private let proxies: TrustedProxies
    private let authenticator: Authenticator
    private let handler: any S3Handling
    private let accessLog: AccessLog?
    /// Seconds since 1970.
    private let clock: @Sendable () -> Int64
    /// Of this front and of those beside it.
    let admission: RequestAdmission
    /// In `x-amz-id-2`: which gateway answered.
    let name: String

    init(
        name: String, limits: FrontLimits, names: HostNames, proxies: TrustedProxies = TrustedProxies([]),
        authenticator: Authenticator, handler: any S3Handling,
        metrics: FrontMetrics, accessLog: AccessLog?, clock: @escaping @Sendable () -> Int64
    ) {
        self.name = name
        self.limits = limits
        self.names = names
        self.proxies = proxies
        self.authenticator = authenticator
        self.handler = handler
        self.metrics = metrics
        self.accessLog = accessLog
        self.clock = clock
        budget = MemoryBudget(limit: limits.memoryLimit, patience: limits.memoryPatience)
        admission = RequestAdmission(limits, metrics: metrics)
    }

    /// Seconds since 1970.
    var now: Int64 { clock() }

    /// One request while it is carried out.
    final class Exchange: ClientExchange {
        let id: String
        /// Which gateway answers.
        fileprivate let gateway: String
        let head: HTTPRequestHead
        let remote: String
        let start = ContinuousClock.now
        let request: Result<FrontRequest, S3Error>
        fileprivate let admitted: AdmittedRequest
        fileprivate let user = Mutex<String?>(nil)
        fileprivate let body = Mutex<RequestBody?>(nil)

        init(
            id: String, gateway: String, head: HTTPRequestHead, remote: String, request: Result<FrontRequest, S3Error>,
            admitted: AdmittedRequest
        ) {
            self.id = id
            self.gateway = gateway
            self.head = head
            self.remote = remote
            self.request = request
            self.admitted = admitted
        }

        var identification: [(name: String, value: String)] {
            [("x-amz-request-id", id), ("x-amz-id-2", gateway)]
        }

        var operation: S3Operation { (try? request.get().operation) ?? .unknown }
    }

    /// - Parameter rejection: Why the request must not even be looked at.
    func begin(_ head: HTTPRequestHead, remote: String, rejection: S3Error?) -> Exchange {
        let id = RequestID.make()
        let admitted = admission.enter(head, isExempt: Router.isPing(head))
        let request: Result<FrontRequest, S3Error>
        if let rejection {
            request = .failure(rejection)
        } else if admitted.isRefused {
            metrics.requestsRefused.increment()
            request = .failure(S3Error(.slowDown))
        } else {
            request = Result { () throws(S3Error) in try FrontRequest(id: id, head: head, names: names) }
        }
        return Exchange(id: id, gateway: name, head: head, remote: remote, request: request, admitted: admitted)
    }

    func refusal(of exchange: Exchange) -> S3Response? {
        guard exchange.admitted.isRefused, case .failure(let error) = exchange.request else { return nil }
        return error.response(requestID: exchange.id, resource: nil)
    }

    /// The answer to a request. Never throws.
    func respond(to exchange: Exchange, source: any BodySource) async -> S3Response {
        var response: S3Response
        do throws(S3Error) {
            response = try await perform(try exchange.request.get(), exchange, source)
        } catch {
            let request = try? exchange.request.get()
            response = error.response(requestID: exchange.id, resource: request?.resource)
            if let request { noteRefusal(of: request, response, error.code, exchange) }
        }
        exchange.admitted.served(exchange.operation.rawValue, status: Int(response.status.code))
        return response
    }

    private func noteRefusal(
        of request: FrontRequest, _ response: S3Response, _ code: S3ErrorCode, _ exchange: Exchange
    ) {
        let client = proxies.client(of: exchange.remote, request.head.headers)
        let user = exchange.user.withLock { $0 }
        let refused = S3Request(
            id: request.id, method: request.head.method, operation: request.operation, bucket: request.target.bucket,
            key: request.target.key, query: request.query, headers: request.head.headers,
            identity: user.map { .user(UserRecord(id: $0)) } ?? .anonymous, body: RequestBody(bytes: ByteBuffer()),
            remote: client.address, isSecure: client.isSecure)
        handler.noteRefusal(of: refused, response, code, since: exchange.start)
    }

    private func perform(_ request: FrontRequest, _ exchange: Exchange, _ source: any BodySource) async throws(S3Error)
        -> S3Response
    {
        if request.operation == .ping { return S3Response(body: .bytes(ByteBuffer(string: "OK"))) }
        let (identity, verified) = try await authenticate(request)
        exchange.user.withLock { $0 = identity.userID }
        let plan = try BodyPlan(request.operation, request.head.headers, verified)
        let body = RequestBody(plan, source: source, budget: budget, admitted: exchange.admitted)
        exchange.body.withLock { $0 = body }
        // Handlers of requests without a body do not read it: what the headers say about it is checked here.
        if plan.declaredLength == 0, plan.decoder == nil { _ = try await body.next() }
        let client = proxies.client(of: exchange.remote, request.head.headers)
        var made = S3Request(
            id: request.id, method: request.head.method, operation: request.operation,
            bucket: request.target.bucket,
            key: request.target.key, query: request.query, headers: Self.withoutFraming(request.head.headers),
            identity: identity, body: body, remote: client.address, isSecure: client.isSecure)
        if request.operation == .postObject { try await readForm(&made, exchange) }
        return await handler.handle(made)
    }

    /// Turns a form that a browser posts into a request for what its fields ask for: who makes it, under which key, with
    /// which headers.
    private func readForm(_ request: inout S3Request, _ exchange: Exchange) async throws(S3Error) {
        guard request.identity == .anonymous else {
            throw S3Error(.invalidRequest, "A form is signed in its fields, not in the headers of its request.")
        }
        let form = try await PostForm.read(request.body, request.headers)
        let key = try form.key()
        var headers = try form.headers()
        if let text = form.fields["policy"] {
            request.identity = try await authenticator.authenticate(form.fields, policy: text, now: now)
            exchange.user.withLock { $0 = request.identity.userID }
            let policy = try PostPolicy(parsing: text)
            try policy.check(form.fields, bucket: request.bucket ?? "", now: now)
            form.file.limit(to: policy.lengths)
        }
        for name in ["host", "origin", "user-agent", "referer"] {
            for value in request.headers[name] { headers.add(name: name, value: value) }
        }
        (request.key, request.headers, request.form) = (key, headers, form.fields)
        request.body = RequestBody(try BodyPlan(form: headers), source: form.file, budget: nil)
    }

    private func authenticate(_ request: FrontRequest) async throws(S3Error) -> (Identity, VerifiedRequest) {
        do {
            return try await authenticator.authenticate(request, now: now)
        } catch {
            metrics.authenticationFailed(error.code.rawValue)
            throw error
        }
    }

    /// After the last byte of the answer was handed to the socket, or the client has gone.
    func finish(_ exchange: Exchange, status: Int, received: UInt64, sent: UInt64) {
        exchange.body.withLock { $0 }?.close()
        admission.leave(received: received, sent: sent)
        let duration = exchange.start.duration(to: .now)
        metrics.finished(exchange.operation.rawValue, status: status, after: duration)
        accessLog?.append(
            AccessLog.Entry(
                time: now, id: exchange.id, remote: exchange.remote, method: exchange.head.method.rawValue,
                host: exchange.head.headers.first(name: "host") ?? "",
                path: (try? exchange.request.get().target.rawPath) ?? "", operation: exchange.operation.rawValue,
                user: exchange.user.withLock { $0 }, status: status, received: received, sent: sent,
                duration: duration, userAgent: exchange.head.headers.first(name: "user-agent") ?? ""))
    }

    /// `aws-chunked` is the framing of this request, not an encoding of the object.
    private static func withoutFraming(_ headers: HTTPHeaders) -> HTTPHeaders {
        let encodings = headers["content-encoding"]
        guard encodings.contains(where: { $0.lowercased().contains("aws-chunked") }) else { return headers }
        var headers = headers
        let rest = encodings.flatMap { $0.split(separator: ",") }.map { $0.filter { $0 != " " } }
            .filter { $0.lowercased() != "aws-chunked" }
        headers.remove(name: "content-encoding")
        if !rest.isEmpty { headers.add(name: "content-encoding", value: rest.joined(separator: ",")) }
        return headers
    }
}

/// Names of requests: unique enough to find one in the logs of a cluster.
enum RequestID {
    /// 16 hex digits, as AWS's.
    static func make() -> String {
        let digits = String(UInt64.random(in: .min ... .max), radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - digits.utf8.count) + digits
    }
}

extension S3Error {
    /// The answer for a request that never reached its handler.
    func response(requestID: String, resource: String?) -> S3Response {
        var response = S3Response.xml(
            xml(requestID: requestID, resource: resource), status: HTTPResponseStatus(statusCode: status))
        response.headers.add(contentsOf: retryHeaders)
        return response
    }

    /// When a client may try again, if that makes sense at all.
    var retryHeaders: HTTPHeaders { status == 503 ? ["Retry-After": "1"] : [:] }
}
