import Logging
import Model
import NIOHTTP1
import S3Protocol
import Synchronization
import Wire

/// Turns heads and bodies into requests of Swift and Keystone, and measures and logs them. What they mean is in
/// ``SwiftService``.
final class SwiftFront: ClientFront {
    let limits: FrontLimits
    let metrics: FrontMetrics
    let budget: MemoryBudget
    private let service: SwiftService
    private let accessLog: AccessLog?
    /// Seconds since 1970.
    private let clock: @Sendable () -> Int64
    let admission: RequestAdmission

    init(
        service: SwiftService, limits: FrontLimits, budget: MemoryBudget, admission: RequestAdmission,
        metrics: FrontMetrics, accessLog: AccessLog?, clock: @escaping @Sendable () -> Int64
    ) {
        self.service = service
        self.limits = limits
        self.budget = budget
        self.metrics = metrics
        self.accessLog = accessLog
        self.clock = clock
        self.admission = admission
    }

    var now: Int64 { clock() }

    final class Exchange: ClientExchange {
        let id: String
        let transaction: String
        let head: HTTPRequestHead
        let remote: String
        let start = ContinuousClock.now
        let target: Result<SwiftTarget, SwiftError>
        fileprivate let admitted: AdmittedRequest
        fileprivate let body = Mutex<RequestBody?>(nil)
        fileprivate let trace = SwiftTrace()

        init(
            id: String, transaction: String, head: HTTPRequestHead, remote: String,
            _ target: Result<SwiftTarget, SwiftError>, _ admitted: AdmittedRequest
        ) {
            self.id = id
            self.transaction = transaction
            self.head = head
            self.remote = remote
            self.target = target
            self.admitted = admitted
        }

        var identification: [(name: String, value: String)] {
            [("X-Trans-Id", transaction), ("X-Openstack-Request-Id", transaction)]
        }
    }

    func begin(_ head: HTTPRequestHead, remote: String, rejection: S3Error?) -> Exchange {
        let id = RequestID.make()
        var target: Result<SwiftTarget, SwiftError>
        if let rejection {
            target = .failure(SwiftError(rejection))
        } else {
            do throws(SwiftError) { target = .success(try SwiftTarget(uri: head.uri)) } catch {
                target = .failure(error)
            }
        }
        let isExempt = (try? target.get()).map { SwiftService.healthPaths.contains($0.rawPath) } ?? false
        let admitted = admission.enter(head, isExempt: isExempt)
        if admitted.isRefused, case .success = target {
            metrics.requestsRefused.increment()
            target = .failure(SwiftError(503))
        }
        let time = String(now, radix: 16)
        let transaction =
            "tx" + id.lowercased() + "00000-" + String(repeating: "0", count: max(0, 10 - time.count)) + time
        return Exchange(id: id, transaction: transaction, head: head, remote: remote, target, admitted)
    }

    func refusal(of exchange: Exchange) -> S3Response? {
        guard exchange.admitted.isRefused, case .failure(let error) = exchange.target else { return nil }
        return error.response
    }

    func respond(to exchange: Exchange, source: any BodySource) async -> S3Response {
        let response = await answer(exchange, source)
        exchange.admitted.served(exchange.trace.operation, status: Int(response.status.code))
        return response
    }

    private func answer(_ exchange: Exchange, _ source: any BodySource) async -> S3Response {
        switch exchange.target {
        case .failure(let error): return error.response
        case .success(let target):
            let body = RequestBody(
                Self.plan(exchange.head), source: source, budget: budget, admitted: exchange.admitted)
            exchange.body.withLock { $0 = body }
            let request = SwiftRequest(
                id: exchange.id, transaction: exchange.transaction, method: exchange.head.method.rawValue,
                rawPath: target.rawPath, path: target.path, query: target.query,
                headers: Self.cleaned(exchange.head.headers), remote: exchange.remote, body: body,
                admitted: exchange.admitted)
            return await service.handle(request, exchange.trace)
        }
    }

    private static func plan(_ head: HTTPRequestHead) -> BodyPlan {
        let isChunked = head.headers.contains(name: "transfer-encoding")
        var plan = BodyPlan(
            declaredLength: isChunked ? nil : head.headers.first(name: "content-length").flatMap { UInt64($0) } ?? 0)
        plan.computesMD5 = head.method == .PUT
        return plan
    }

    /// Without the headers by which proxies of a real Swift talk to each other, and those that an authenticator sets.
    private static func cleaned(_ headers: HTTPHeaders) -> HTTPHeaders {
        HTTPHeaders(
            headers.filter { name, _ in
                let name = name.lowercased()
                return !name.hasPrefix("x-backend-") && !name.contains("-sysmeta-") && name != "x-timestamp"
                    && !name.hasPrefix("x-identity-")
            }.map { ($0.name, $0.value) })
    }

    func finish(_ exchange: Exchange, status: Int, received: UInt64, sent: UInt64) {
        exchange.body.withLock { $0 }?.close()
        admission.leave(received: received, sent: sent)
        let duration = exchange.start.duration(to: .now)
        let operation = exchange.trace.operation
        metrics.finished(operation, status: status, after: duration)
        accessLog?.append(
            AccessLog.Entry(
                time: now, id: exchange.transaction, remote: exchange.remote, method: exchange.head.method.rawValue,
                host: exchange.head.headers.first(name: "host") ?? "",
                // Paths of Keystone v2.0 may hold tokens.
                path: operation == SwiftTrace.identity ? "" : (try? exchange.target.get().rawPath) ?? "",
                operation: operation, user: exchange.trace.user, status: status, received: received, sent: sent,
                duration: duration, userAgent: exchange.head.headers.first(name: "user-agent") ?? ""))
    }
}

/// What is noted about a request while it is carried out.
final class SwiftTrace: Sendable {
    static let identity = "swift-identity"

    /// A container that has its access logged, and the object in it.
    struct Place: Sendable {
        var container: BucketRecord
        var object: [UInt8]?
    }

    private struct Noted {
        var operation = "swift-unknown"
        var user: String?
        var place: Place?
    }

    private let noted = Mutex(Noted())

    var operation: String { noted.withLock { $0.operation } }
    var user: String? { noted.withLock { $0.user } }
    /// nil: nobody wants to know.
    var place: Place? { noted.withLock { $0.place } }

    func note(operation: String) { noted.withLock { $0.operation = operation } }
    func note(user: String) { noted.withLock { $0.user = user } }
    func note(_ place: Place) { noted.withLock { $0.place = place } }
}
