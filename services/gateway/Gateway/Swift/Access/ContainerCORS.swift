import NIOHTTP1
import S3Protocol
import Wire

/// Which scripts of which sites may use a container from a browser: X-Container-Meta-Access-Control-*.
struct ContainerCORS: Sendable, Equatable {
    private static let prefix = "x-container-meta-access-control-"
    /// What scripts may read besides metadata.
    private static let exposedAlways = [
        "cache-control", "content-language", "content-type", "expires", "last-modified", "pragma", "etag",
        "x-timestamp", "x-trans-id", "x-openstack-request-id",
    ]

    private let origins: [Substring]
    private let exposed: [Substring]
    private let maxAge: String?

    /// nil: the container lets nobody in.
    init?(_ container: BucketRecord?) {
        guard let value = container?.headers[Self.prefix + "allow-origin"] else { return nil }
        origins = value.split(separator: " ")
        exposed = (container?.headers[Self.prefix + "expose-headers"] ?? "").split { $0 == " " || $0 == "," }
        maxAge = container?.headers[Self.prefix + "max-age"]
    }

    func allows(_ origin: String) -> Bool { origins.contains { $0 == "*" || $0 == origin } }

    private func shown(_ origin: String) -> String { origins.contains("*") ? "*" : origin }

    /// The headers that let a browser send the request that it asks about.
    func preflight(_ origin: String, asked: String?, allow: String) -> HTTPHeaders {
        var headers: HTTPHeaders = [
            "Access-Control-Allow-Origin": shown(origin), "Access-Control-Allow-Methods": allow, "Allow": allow,
        ]
        if let maxAge { headers.add(name: "Access-Control-Max-Age", value: maxAge) }
        if let asked, !asked.isEmpty { headers.add(name: "Access-Control-Allow-Headers", value: asked) }
        headers.add(name: "Vary", value: "Origin, Access-Control-Request-Headers")
        return headers
    }

    /// Adds the headers that let a script read an answer.
    func open(_ headers: inout HTTPHeaders, to origin: String) {
        headers.replaceOrAdd(name: "Access-Control-Allow-Origin", value: shown(origin))
        let metadata = headers.map { $0.name.lowercased() }.filter {
            $0.hasPrefix("x-object-meta-") || $0.hasPrefix("x-container-meta-")
        }
        let names = Self.exposedAlways + metadata + exposed.map { $0.lowercased() }
        headers.replaceOrAdd(name: "Access-Control-Expose-Headers", value: names.joined(separator: ", "))
        if !origins.contains("*") { headers.add(name: "Vary", value: "Origin") }
    }
}

extension SwiftOperations {
    /// `OPTIONS`: needs no token. 401 for every site and container that does not go together, so that nothing is told.
    func preflight(_ call: SwiftCall, _ level: SwiftOperation.Level) throws -> S3Response {
        guard let origin = call.request.header("origin") else { return Self.options(level) }
        guard let method = call.request.header("access-control-request-method"),
            level.methods.contains(where: { $0.method == method }), let rules = ContainerCORS(call.container),
            rules.allows(origin)
        else { throw SwiftError(401, headers: ["Allow": level.allow]) }
        return S3Response(
            headers: rules.preflight(
                origin, asked: call.request.header("access-control-request-headers"), allow: level.allow))
    }

    /// Lets a script of another site read the answer, errors too, if the container allows it.
    func addCORS(to response: inout S3Response, _ request: SwiftRequest) {
        guard request.method != "OPTIONS", let origin = request.header("origin") else { return }
        let parts = SwiftTarget.parts(request.path, atMost: 4)
        guard parts.count > 2, let project = project(ofAccount: String(decoding: parts[1], as: UTF8.self)),
            let rules = ContainerCORS(
                tokens.view.container(String(decoding: parts[2], as: UTF8.self), project: project.id)),
            rules.allows(origin)
        else { return }
        rules.open(&response.headers, to: origin)
    }
}
