import NIOHTTP1
import S3Protocol

/// An authenticated request, ready for its handler.
public struct S3Request: Sendable {
    /// Unique; in every log line, in `x-amz-request-id` and carried over the bus.
    public var id: String
    public var method: HTTPMethod
    public var operation: S3Operation
    public var bucket: String?
    /// Decoded. Compare `keyBytes`, never the string: Swift treats different spellings of one Unicode text as equal.
    public var key: String?
    public var query: S3Query
    public var headers: HTTPHeaders
    public var identity: Identity
    public var body: RequestBody
    /// IP address of the client, as far as it can be trusted; "" when nobody knows.
    public var remote: String
    /// The client's connection was encrypted.
    public var isSecure: Bool
    /// Fields of the form that a browser posted, by their names in lower case; nil: the request is no form.
    public var form: [String: String]?
    /// What the body of a PutObjectTagging asks for, once it has been read.
    public var tags: TagSet?

    public init(
        id: String, method: HTTPMethod, operation: S3Operation, bucket: String?, key: String?,
        query: S3Query = S3Query(), headers: HTTPHeaders = HTTPHeaders(), identity: Identity, body: RequestBody,
        remote: String = "", isSecure: Bool = false
    ) {
        self.id = id
        self.method = method
        self.operation = operation
        self.bucket = bucket
        self.key = key
        self.query = query
        self.headers = headers
        self.identity = identity
        self.body = body
        self.remote = remote
        self.isSecure = isSecure
    }

    /// The key as it is stored: UTF-8.
    public var keyBytes: [UInt8] { key.map { Array($0.utf8) } ?? [] }

    /// For the `Resource` element of errors: `/bucket/key`.
    public var resource: String {
        guard let bucket else { return "/" }
        return key.map { "/\(bucket)/\($0)" } ?? "/\(bucket)"
    }
}
