import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Synchronization
import Wire

/// PUT, POST and DELETE of objects.
extension SwiftOperations {
    static let fileSizeMax: UInt64 = 5_368_709_122

    func putObject(_ call: SwiftCall) async throws -> S3Response {
        let headers = call.request.headers
        let container = try call.requiredContainer()
        if let source = headers.first(name: "x-copy-from") { return try await copy(from: source, to: call) }
        guard headers.contains(name: "content-length") || headers.contains(name: "transfer-encoding") else {
            throw SwiftError(411, "Missing Content-Length header.")
        }
        if let length = call.request.body.declaredLength, length > Self.fileSizeMax { throw SwiftError(413) }
        var object = try newObject(call)
        let condition = try Self.condition(headers)
        try await checkQuotas(call, container, adding: call.request.body.declaredLength ?? 0)
        try await write(call.request.body, as: &object, call, container, condition: condition)
        return Self.created(object)
    }

    /// The record as the request's headers describe it, without content.
    func newObject(_ call: SwiftCall) throws(SwiftError) -> ObjectRecord {
        try Self.refuseReferences(call.request)
        let headers = call.request.headers
        var fields = SwiftObjects.headers(headers).filter { $0.name != "content-type" }
        fields.append(
            HeaderField(
                name: "content-type", value: SwiftObjects.contentType(headers, name: call.object ?? [])))
        var object = ObjectRecord(
            version: ObjectRecord.formatVersion, modifiedMilliseconds: clock(), headers: fields,
            metadata: try SwiftObjects.metadata(headers), owner: call.container?.owner ?? "")
        object.deleteAtSeconds = try SwiftObjects.deletionTime(headers, now: clock() / 1000) ?? 0
        return object
    }

    /// What is not done must not look as if it were: objects that stand for others are refused.
    private static func refuseReferences(_ request: SwiftRequest) throws(SwiftError) {
        for name in ["x-object-manifest", "x-symlink-target"] where request.header(name)?.isEmpty == false {
            throw SwiftError(501, "\(SwiftHeaders.titled(name)) is not supported")
        }
        guard request.query["multipart-manifest"] == nil else {
            throw SwiftError(501, "multipart-manifest is not supported")
        }
    }

    private static func condition(_ headers: HTTPHeaders) throws(SwiftError) -> WriteCondition {
        guard let value = headers.first(name: "if-none-match") else { return .none }
        guard value == "*" else { throw SwiftError(400, "If-None-Match only supports *") }
        return .absent
    }

    static func created(_ object: ObjectRecord) -> S3Response {
        S3Response(
            status: .created,
            headers: [
                "Etag": object.etag, "Content-Type": "text/html; charset=UTF-8",
                "Last-Modified": HTTPDate.format(SwiftHeaders.lastModifiedSeconds(object.modifiedMilliseconds)),
            ])
    }

    /// Stores content and makes the object that of its name. Fills in size, entity tag and content.
    func write(
        _ body: RequestBody, as object: inout ObjectRecord, _ call: SwiftCall, _ container: BucketRecord,
        condition: WriteCondition
    ) async throws {
        let shared = try shared(call, container, key: call.object ?? [])
        let content = try await s3.writer(of: shared.object, shared).write(
            body, expected: body.declaredLength, sizeMax: Self.fileSizeMax, besideRegister: true)
        guard let md5 = body.digests.md5 else { throw SwiftError(500) }
        object.size = content.size
        object.etag = ETag.ofContent(md5: md5)
        object.blobs = content.blob.map { [$0] } ?? []
        let (expected, found) = (call.request.header("etag").map(ETag.unquoted), object.etag)
        try await s3.referring(to: content) {
            guard expected == nil || expected == "" || expected?.lowercased() == found else {
                throw S3Error(.badDigest)
            }
        }
        try await s3.commit(object, shared, content, condition: condition)
        if let id = container.bucketID { usage.forget(id) }
    }

    // MARK: - POST

    /// Replaces metadata and headers; the content stays.
    func postObject(_ call: SwiftCall) async throws -> S3Response {
        let container = try call.requiredContainer()
        let headers = call.request.headers
        let metadata = try SwiftObjects.metadata(headers)
        try Self.refuseReferences(call.request)
        let given = SwiftObjects.headers(headers)
        let now = clock()
        let deleteAt = try SwiftObjects.deletionTime(headers, now: now / 1000) ?? 0
        let shared = try shared(call, container, key: call.object ?? [])
        _ = try s3.buckets.checkWritable(container)
        // Beside the object its register may hold versions: see `KeyVersions`.
        _ = try await s3.changeObject(shared) { object in
            guard !object.isExpired(now: now / 1000) else { throw SwiftError.notFound }
            let type = object.headers.filter { $0.name == "content-type" }
            object.headers = given.contains { $0.name == "content-type" } ? given : given + type
            object.metadata = metadata
            object.deleteAtSeconds = deleteAt
            object.modifiedMilliseconds = max(now, object.modifiedMilliseconds)
        }
        return S3Response(status: .accepted, headers: ["Content-Type": "text/html; charset=UTF-8"])
    }

    // MARK: - DELETE

    func deleteObject(_ call: SwiftCall) async throws -> S3Response {
        let container = try call.requiredContainer()
        try await delete(call.object ?? [], in: container, call)
        return S3Response(status: .noContent)
    }

    /// Throws 404 when there is none. One that has expired is not there for clients, but it is listed and takes space:
    /// it is deleted too, so that a container can be emptied.
    func delete(_ key: [UInt8], in container: BucketRecord, _ call: SwiftCall) async throws {
        let shared = try shared(call, container, key: key)
        let now = clock() / 1000
        let wasExpired = Mutex(false)
        try await s3.removeObject(shared.object, shared) { object in
            guard let object else { throw SwiftError.notFound }
            wasExpired.withLock { $0 = object.isExpired(now: now) }
        }
        if let id = container.bucketID { usage.forget(id) }
        if wasExpired.withLock({ $0 }) { throw SwiftError.notFound }
    }

    // MARK: - Quotas

    /// 413 when the account or the container has no room for so much more.
    func checkQuotas(_ call: SwiftCall, _ container: BucketRecord, adding bytes: UInt64) async throws {
        let bytesMax = container.headers["x-container-meta-quota-bytes"].flatMap { UInt64($0) }
        let countMax = container.headers["x-container-meta-quota-count"].flatMap { UInt64($0) }
        if bytesMax != nil || countMax != nil, let id = container.bucketID {
            let used = await usage.count(of: id, patience: .seconds(3), call.context)
            try Self.check(used, bytes, bytesMax, countMax)
        }
        guard let project = call.project else { return }
        let accountMax = project.headers["x-account-meta-quota-bytes"].flatMap { UInt64($0) }
        let accountCountMax = project.headers["x-account-meta-quota-count"].flatMap { UInt64($0) }
        guard accountMax != nil || accountCountMax != nil, call.caller.credentials?.isReseller != true else { return }
        var used = ContainerUsage.Count()
        for container in tokens.view.containers(project: project.id) {
            guard let id = container.bucketID else { continue }
            let one = await usage.count(of: id, patience: .milliseconds(500), call.context)
            used.objects &+= one.objects
            used.bytes &+= one.bytes
        }
        try Self.check(used, bytes, accountMax, accountCountMax)
    }

    private static func check(
        _ used: ContainerUsage.Count, _ adding: UInt64, _ bytesMax: UInt64?, _ countMax: UInt64?
    ) throws(SwiftError) {
        let (sum, isOver) = used.bytes.addingReportingOverflow(adding)
        if let bytesMax, isOver || sum > bytesMax { throw SwiftError(413, "Upload exceeds quota.") }
        if let countMax, used.objects + 1 > countMax { throw SwiftError(413, "Upload exceeds quota.") }
    }
}
