import NIOHTTP1
import S3Protocol
import Signatures

/// A request's head, understood as far as that needs no credentials.
struct FrontRequest: Sendable {
    let id: String
    let head: HTTPRequestHead
    let target: RequestTarget
    let query: S3Query
    let operation: S3Operation

    init(id: String, head: HTTPRequestHead, names: HostNames) throws(S3Error) {
        self.id = id
        self.head = head
        target = try RequestTarget(uri: head.uri, hostHeader: head.headers.first(name: "host"), names: names)
        query = try Self.query(target.rawQuery)
        operation =
            head.method == .GET && target.rawPath == Router.pingPath
            ? .ping : target.isWebsite ? .webPage : Router.operation(head.method, target, query, head.headers)
    }

    /// What signatures cover.
    var signable: SignableRequest {
        SignableRequest(
            method: head.method.rawValue, rawPath: target.rawPath, rawQuery: target.rawQuery,
            headers: head.headers.map { SignableRequest.Header($0.name, $0.value) },
            bucketInHost: target.isVirtualHost ? target.bucket : nil)
    }

    /// For the `Resource` element of errors.
    var resource: String { target.rawPath }

    private static func query(_ raw: String) throws(S3Error) -> S3Query {
        var items: [S3Query.Item] = []
        for item in try QueryParameters(rawQuery: raw).items {
            guard let name = String(validating: item.name, as: UTF8.self),
                let value = String(validating: item.value ?? [], as: UTF8.self)
            else { throw S3Error(.invalidURI) }
            items.append(.init(name, item.value == nil ? nil : value))
        }
        return S3Query(items)
    }
}
