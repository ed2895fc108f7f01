import NIOCore
import NIOHTTP1
import S3Protocol
import Synchronization

/// The requests that a gateway has under way, of all its fronts: bounded, measured, and refused early when there are more than
/// the cluster can use. The decision is ``AdmissionLimit``'s.
final class RequestAdmission: Sendable {
    /// Larger bodies wait for memory and for their clients: how long they take says nothing about the cluster. They are
    /// bounded by ``MemoryBudget``.
    static let smallBodyMax = 64 << 10

    private let requestsMax: Int
    /// false: only the number of requests counts.
    private let watchesDelays: Bool
    private let limit: Mutex<AdmissionLimit>
    let metrics: FrontMetrics
    private let underWay = Atomic<Int>(0)
    /// Nanoseconds by which the event loops are late.
    private let lag = Atomic<Int64>(0)

    init(_ limits: FrontLimits, metrics: FrontMetrics) {
        requestsMax = limits.requestsMax
        self.metrics = metrics
        var options = AdmissionLimit.Options(delay: limits.overloadDelay)
        options.requestsMax = max(options.requestsMin, limits.requestsMax)
        watchesDelays = limits.overloadDelay > .zero
        limit = Mutex(AdmissionLimit(options, now: .now))
        metrics.observe(self)
    }

    /// Requests that may be worked on at a time now.
    var present: Int { watchesDelays ? limit.withLock { $0.limit } : requestsMax }

    /// Requests that are worked on, without those that wait for their client.
    var inService: Int { limit.withLock { $0.inService } }

    /// An event loop was so late. Requests have waited about as long before anybody saw them.
    func noteLag(_ lag: Duration) {
        let nanoseconds = Int64(min(lag / .nanoseconds(1), 10e9))
        self.lag.store((self.lag.load(ordering: .relaxed) + nanoseconds) / 2, ordering: .relaxed)
    }

    /// How long a request that is seen now has waited for that.
    var presentLag: Duration { .nanoseconds(lag.load(ordering: .relaxed)) }

    /// Counts a request until it leaves. Whether it is to be carried out is in the answer.
    /// - Parameter isExempt: it is answered whatever goes on: health checks.
    func enter(_ head: HTTPRequestHead, isExempt: Bool = false) -> AdmittedRequest {
        metrics.inFlight.increment()
        let count = underWay.wrappingAdd(1, ordering: .relaxed).newValue
        if isExempt { return AdmittedRequest(self, .uncounted) }
        guard count <= requestsMax else { return AdmittedRequest(self, .refused) }
        guard watchesDelays else { return AdmittedRequest(self, .uncounted) }
        guard Self.isSmall(head) else {
            let isOpen = limit.withLock { $0.inService < $0.limit }
            return AdmittedRequest(self, isOpen ? .uncounted : .refused)
        }
        return AdmittedRequest(self, limit.withLock { $0.arrive() } ? .counted : .refused)
    }

    /// - Parameters:
    ///   - received: bytes of its body.
    ///   - sent: bytes of its answer.
    func leave(received: UInt64, sent: UInt64) {
        underWay.wrappingSubtract(1, ordering: .relaxed)
        metrics.inFlight.decrement()
        metrics.bytesReceived.increment(by: Int(clamping: received))
        metrics.bytesSent.increment(by: Int(clamping: sent))
    }

    private static func isSmall(_ head: HTTPRequestHead) -> Bool {
        guard !head.headers.contains(name: "transfer-encoding") else { return false }
        guard let length = head.headers.first(name: "content-length") else { return true }
        return Int(length).map { $0 <= smallBodyMax } ?? false
    }

    // MARK: - For the requests

    fileprivate func pause() { limit.withLock { $0.pause() } }

    fileprivate func resume() { limit.withLock { $0.resume() } }

    fileprivate func leave() { limit.withLock { $0.leave() } }

    fileprivate func leave(_ kind: String, after duration: Duration) {
        metrics.admissionDelay.record(limit.withLock { $0.leave(kind, after: duration, now: .now) })
    }
}

/// A request in the eyes of the admission.
final class AdmittedRequest: Sendable {
    enum Standing: Sendable {
        /// It has one of the places.
        case counted
        /// It is carried out and takes no place.
        case uncounted
        case refused
    }

    private let admission: RequestAdmission
    private let standing: Standing
    private let start: ContinuousClock.Instant
    /// Nanoseconds that were the client's, not ours.
    private let waited = Atomic<Int64>(0)

    init(_ admission: RequestAdmission, _ standing: Standing) {
        self.admission = admission
        self.standing = standing
        start = .now - admission.presentLag
    }

    var isRefused: Bool { standing == .refused }

    /// Gives the place back while something is awaited that is not the cluster's work.
    func whileWaiting<Value: Sendable, Failure: Error>(
        _ body: () async throws(Failure) -> Value
    ) async throws(Failure) -> Value {
        guard standing == .counted else { return try await body() }
        admission.pause()
        let begun = ContinuousClock.now
        defer {
            let nanoseconds = (ContinuousClock.now - begun) / .nanoseconds(1)
            waited.wrappingAdd(Int64(nanoseconds), ordering: .relaxed)
            admission.resume()
        }
        return try await body()
    }

    /// The same bytes; the time until the client has sent them does not count.
    func timing(_ source: any BodySource) -> any BodySource {
        standing == .counted ? ClientTimedSource(source: source, admitted: self) : source
    }

    /// The answer is there, as far as the cluster is concerned. Called once.
    func served(_ kind: String, status: Int) {
        guard standing == .counted else { return }
        // What was wrong with the request itself is found before the cluster has worked; what is not there is looked for.
        if (400..<500).contains(status), status != 404 { return admission.leave() }
        let duration = ContinuousClock.now - start - .nanoseconds(waited.load(ordering: .relaxed))
        admission.leave(kind, after: duration)
    }
}

/// A body whose arrival is the client's time.
private struct ClientTimedSource: BodySource {
    let source: any BodySource
    let admitted: AdmittedRequest

    func next() async throws(S3Error) -> ByteBuffer? {
        try await admitted.whileWaiting { () async throws(S3Error) in try await source.next() }
    }
}
