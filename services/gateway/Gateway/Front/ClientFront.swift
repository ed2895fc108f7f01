import NIOHTTP1
import S3Protocol

/// What connections need of whoever answers their requests: the front of S3, or that of Swift.
protocol ClientFront: Sendable {
    associatedtype Exchange: ClientExchange

    var limits: FrontLimits { get }
    var metrics: FrontMetrics { get }
    var budget: MemoryBudget { get }
    var admission: RequestAdmission { get }
    /// Seconds since 1970.
    var now: Int64 { get }

    /// - Parameter rejection: Why the request must not even be looked at.
    func begin(_ head: HTTPRequestHead, remote: String, rejection: S3Error?) -> Exchange
    /// The answer to a request that is refused before anything was done for it: what is refused must cost next to nothing.
    func refusal(of exchange: Exchange) -> S3Response?
    /// The answer to a request. Never throws.
    func respond(to exchange: Exchange, source: any BodySource) async -> S3Response
    /// After the last byte of the answer was handed to the socket, or the client has gone.
    func finish(_ exchange: Exchange, status: Int, received: UInt64, sent: UInt64)
}

/// One request while it is carried out.
protocol ClientExchange: Sendable {
    var head: HTTPRequestHead { get }
    /// Headers by which the answer can be found in logs.
    var identification: [(name: String, value: String)] { get }
}
