import NIOHTTP1
import S3Protocol

/// A request before it is signed.
struct S3Request: Sendable {
    var method: HTTPMethod
    /// Percent-encoded.
    var path: String
    var query = ""
    var body = S3Body.nothing
    /// What the object's metadata is to say.
    var version: ObjectVersion?
    var wanted = S3Exchange.Wanted.head

    init(
        _ method: HTTPMethod, path: String, query: String = "", body: S3Body = .nothing,
        version: ObjectVersion? = nil, wanted: S3Exchange.Wanted = .head
    ) {
        self.method = method
        self.path = path
        self.query = query
        self.body = body
        self.version = version
        self.wanted = wanted
    }

    /// The one request of an operation.
    init(_ planned: PlannedOperation, _ content: ObjectContent?, _ plan: LoadPlan) {
        let path = Self.path(of: planned.key, in: plan.bucket)
        let wanted: S3Exchange.Wanted = plan.checks ? .content(key: planned.key) : .length
        switch planned.operation {
        case .put:
            self.init(
                .PUT, path: path, body: content.map(S3Body.whole) ?? .nothing, version: content?.version, wanted: .head)
        case .get: self.init(.GET, path: path, wanted: wanted)
        case .head: self.init(.HEAD, path: path, wanted: wanted)
        case .delete: self.init(.DELETE, path: path)
        case .list:
            let query = "list-type=2&max-keys=\(plan.listKeys)&prefix=\(PercentEncoding.encode(planned.key))"
            self.init(.GET, path: "/\(plan.bucket)", query: query, wanted: .text)
        case .multipart, .ping: preconditionFailure("\(planned.operation) is no request of S3")
        }
    }

    static func path(of key: String, in bucket: String) -> String { "/\(bucket)/\(PercentEncoding.encode(key))" }

    var uri: String { query.isEmpty ? path : "\(path)?\(query)" }
}
