import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// Objects that stand for another one: X-Symlink-Target.
extension SwiftOperations {
    /// Links that lead to links, as many as a request follows.
    static let linksMax = 2

    /// PUT of a link.
    func putLink(to header: String, _ call: SwiftCall) async throws -> S3Response {
        let container = try call.requiredContainer()
        var object = try newObject(call)
        if call.request.header("content-type")?.isEmpty ?? true {
            object.headers =
                object.headers.filter { $0.name != "content-type" }
                + [HeaderField(name: "content-type", value: "application/symlink")]
        }
        let target = try await linkTarget(header, call)
        object.symlinkTarget = (target.containerName ?? "") + "/" + target.objectName
        object.symlinkAccount = target.project?.id ?? ""
        if let etag = call.request.header("x-symlink-target-etag"), !etag.isEmpty {
            let found = try await staticTarget(target, etag: ETag.unquoted(etag))
            (object.symlinkEtag, object.symlinkBytes) = (ETag.unquoted(found.etag), found.size)
        }
        let condition = try Self.condition(call.request.headers)
        try await checkQuotas(call, container, adding: 0)
        try await checkEmpty(call.request.body)
        try await write(call.request.body, as: &object, call, container, condition: condition)
        return Self.created(object)
    }

    private func checkEmpty(_ body: RequestBody) async throws {
        guard body.declaredLength == 0 else {
            throw SwiftError(400, "Symlink requests require a zero byte body")
        }
    }

    /// The call as if it were about the link's target.
    private func linkTarget(_ header: String, _ call: SwiftCall) async throws -> SwiftCall {
        var target = call
        target.operation = .headObject
        let account = call.request.header("x-symlink-target-account").flatMap { PercentEncoding.decode($0) }
        try await place(&target, header, account: account, header: "X-Symlink-Target")
        target.version = nil
        guard target.project != nil else { throw SwiftError(412, "X-Symlink-Target-Account is nobody's account") }
        let isItself =
            target.containerName == call.containerName && target.object == call.object
            && target.project?.id == call.project?.id
        guard !isItself else { throw SwiftError(400, "Symlink cannot target itself") }
        return target
    }

    /// A link that insists on an entity tag needs its target from the beginning.
    private func staticTarget(_ target: SwiftCall, etag: String) async throws -> ReadableObject {
        try check(.readObject, target)
        let found: ReadableObject
        do { found = try await readable(target) } catch let error where SwiftError(error).status == 404 {
            throw SwiftError(409, "X-Symlink-Target does not exist")
        }
        try Self.check(found, hasTag: etag)
        return found
    }

    private static func check(_ found: ReadableObject, hasTag etag: String) throws(SwiftError) {
        let present = ETag.unquoted(found.etag)
        guard present == etag else {
            throw SwiftError(409, "Object Etag \"\(present)\" does not match X-Symlink-Target-Etag header \"\(etag)\"")
        }
    }

    // MARK: - Reading

    /// What a link leads to: with the rights that the caller has there.
    func follow(_ link: ObjectRecord, _ call: SwiftCall) async throws -> ReadableObject {
        guard call.linksFollowed < Self.linksMax else {
            throw SwiftError(409, "Too many levels of symbolic links, maximum allowed is \(Self.linksMax)")
        }
        var target = call
        target.linksFollowed += 1
        target.version = nil
        guard let (container, object) = link.linkTarget else { throw SwiftError(500) }
        target.account = settings.account(ofProject: link.symlinkAccount)
        target.project = tokens.view.projects[link.symlinkAccount]
        (target.containerName, target.object, target.container) = (container, object, nil)
        if let project = target.project { target.container = await self.container(container, of: project) }
        try check(.readObject, target)
        var found = try await readable(target)
        if !link.symlinkEtag.isEmpty { try Self.check(found, hasTag: link.symlinkEtag) }
        if !found.extraHeaders.contains(name: "Content-Location") {
            found.extraHeaders.add(name: "Content-Location", value: location(of: link))
        }
        return found
    }

    /// The path of a link's target.
    private func location(of link: ObjectRecord) -> String {
        "/v1/" + PercentEncoding.encode(settings.account(ofProject: link.symlinkAccount) + "/" + link.symlinkTarget)
    }

    /// `?symlink=get` shows the link itself.
    func addLink(_ object: ObjectRecord, _ call: SwiftCall, to headers: inout HTTPHeaders) {
        guard !object.symlinkTarget.isEmpty else { return }
        headers.add(name: "X-Symlink-Target", value: PercentEncoding.encode(object.symlinkTarget))
        if object.symlinkAccount != call.project?.id {
            headers.add(
                name: "X-Symlink-Target-Account",
                value: PercentEncoding.encode(settings.account(ofProject: object.symlinkAccount)))
        }
        guard !object.symlinkEtag.isEmpty else { return }
        headers.add(name: "X-Symlink-Target-Etag", value: object.symlinkEtag)
        headers.add(name: "X-Symlink-Target-Bytes", value: String(object.symlinkBytes))
    }

    /// After a POST, which changes the link, not its target: the client may repeat it there.
    func redirectToTarget(of link: ObjectRecord, _ call: SwiftCall) -> S3Response {
        var response = SwiftError(
            307, "The requested POST was to a symlink. POSTing directly to the symlink's target may be what was meant.",
            headers: ["Location": location(of: link)]
        ).response
        response.status = .temporaryRedirect
        return response
    }
}

extension SwiftCall {
    /// The link is meant, not what it stands for.
    var readsLink: Bool { request.query["symlink"] == "get" }
}

extension ObjectRecord {
    fileprivate var linkTarget: (container: String, object: [UInt8])? {
        guard let slash = symlinkTarget.firstIndex(of: "/") else { return nil }
        return (String(symlinkTarget[..<slash]), Array(symlinkTarget[symlinkTarget.index(after: slash)...].utf8))
    }

    mutating func copyLink(of other: ObjectRecord) {
        symlinkTarget = other.symlinkTarget
        symlinkAccount = other.symlinkAccount
        symlinkEtag = other.symlinkEtag
        symlinkBytes = other.symlinkBytes
    }
}
