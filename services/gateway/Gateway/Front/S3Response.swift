import NIOCore
import NIOHTTP1
import S3Protocol

/// What a handler answers. The front adds request id, date, server and framing headers.
public struct S3Response: Sendable {
    /// Called when the client can take more bytes; nil at the end. Is called by one task, never concurrently.
    public typealias Producer = @Sendable () async throws -> ByteBuffer?

    public enum Body: Sendable {
        /// No bytes. A `Content-Length` among the headers is kept for HEAD.
        case empty
        case bytes(ByteBuffer)
        /// Exactly `length` bytes; an error or a shorter stream ends the connection, so that the client notices.
        case stream(length: UInt64, Producer)
        /// As many bytes as come; an error ends the connection.
        case open(Producer)
    }

    public var status: HTTPResponseStatus
    public var headers: HTTPHeaders
    public var body: Body

    public init(status: HTTPResponseStatus = .ok, headers: HTTPHeaders = HTTPHeaders(), body: Body = .empty) {
        self.status = status
        self.headers = headers
        self.body = body
    }

    /// An XML document.
    public static func xml(_ bytes: [UInt8], status: HTTPResponseStatus = .ok, headers: HTTPHeaders = HTTPHeaders())
        -> S3Response
    {
        var response = S3Response(status: status, headers: headers, body: .bytes(ByteBuffer(bytes: bytes)))
        response.headers.replaceOrAdd(name: "Content-Type", value: "application/xml")
        return response
    }
}

/// Carries out authenticated requests.
public protocol S3Handling: Sendable {
    /// Never throws: an error is a response too. The task is cancelled when the client goes away.
    func handle(_ request: S3Request) async -> S3Response
    /// A request that is not handed over was answered: its credentials are no good, or what it says of its body.
    func noteRefusal(
        of request: S3Request, _ response: S3Response, _ code: S3ErrorCode, since start: ContinuousClock.Instant)
}
