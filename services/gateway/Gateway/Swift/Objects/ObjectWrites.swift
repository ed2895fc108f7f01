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
        if call.request.query["multipart-manifest"] == "put" { return try await putManifest(call) }
        let container = try call.requiredContainer()
        if call.version != nil { return try await restoreVersion(call) }
        if let target = headers.first(name: "x-symlink-target") { return try await putLink(to: target, call) }
        if let source = headers.first(name: "x-copy-from") { return try await copy(from: source, to: call) }
        guard headers.first(name: "x-static-large-object") == nil else {
            throw SwiftError(
                400,
                "X-Static-Large-Object is a reserved header. To create a static large object add query param "
                    + "multipart-manifest=put.")
        }
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
        let headers = call.request.headers
        var fields = SwiftObjects.headers(headers).filter { $0.name != "content-type" }
        fields.append(
            HeaderField(
                name: "content-type", value: SwiftObjects.contentType(headers, name: call.object ?? [])))
        var object = ObjectRecord(
            version: ObjectRecord.formatVersion, modifiedMilliseconds: clock(), headers: fields,
            metadata: try SwiftObjects.metadata(headers), owner: call.container?.owner ?? "")
        object.deleteAtSeconds = try SwiftObjects.deletionTime(headers, now: clock() / 1000) ?? 0
        object.objectManifest = try Self.objectManifest(headers)
        return object
    }

    static func condition(_ headers: HTTPHeaders) throws(SwiftError) -> WriteCondition {
        guard let value = headers.first(name: "if-none-match") else { return .none }
        guard value == "*" else { throw SwiftError(400, "If-None-Match only supports *") }
        return .absent
    }

    static func created(_ object: ObjectRecord) -> S3Response {
        var response = S3Response(
            status: .created,
            headers: [
                "Etag": object.etag, "Content-Type": "text/html; charset=UTF-8",
                "Last-Modified": HTTPDate.format(SwiftHeaders.lastModifiedSeconds(object.modifiedMilliseconds)),
            ])
        if !object.isNull { response.headers.add(name: "X-Object-Version-Id", value: object.versionId) }
        return response
    }

    /// Stores the body and makes the object that of the call's name. Fills in size, entity tag and content.
    func write(
        _ body: RequestBody, as object: inout ObjectRecord, _ call: SwiftCall, _ container: BucketRecord,
        condition: WriteCondition
    ) async throws {
        let expected = call.request.header("etag").map(ETag.unquoted)?.lowercased() ?? ""
        try await write(
            body, expected: body.declaredLength, as: &object, call, container, condition: condition
        ) { object, content in
            guard let md5 = body.digests.md5 else { throw S3Error(.internalError) }
            object.size = content.size
            // Clients of this front compare it with what they sent, so it is the MD5 whatever the encryption.
            object.etag = ETag.ofContent(md5: md5)
            guard expected.isEmpty || expected == object.etag else { throw S3Error(.badDigest) }
        }
    }

    // MARK: - POST

    /// Replaces metadata and headers; the content stays.
    func postObject(_ call: SwiftCall) async throws -> S3Response {
        let container = try call.requiredContainer()
        let headers = call.request.headers
        let metadata = try SwiftObjects.metadata(headers)
        guard call.request.header("x-symlink-target") == nil else {
            throw SwiftError(400, "A PUT request is required to set a symlink target")
        }
        let given = SwiftObjects.headers(headers)
        let now = clock()
        let manifest = try Self.objectManifest(headers)
        let deleteAt = try SwiftObjects.deletionTime(headers, now: now / 1000) ?? 0
        let shared = try shared(call, container, key: call.object ?? [], version: call.version)
        _ = try s3.buckets.checkWritable(container)
        try await s3.noteExpiry(of: ObjectRecord(deleteAtSeconds: deleteAt), shared)
        // Beside the object its register may hold versions: see `KeyVersions`.
        let changed = try await s3.changeObject(shared) { object in
            guard !object.isExpired(now: now / 1000) else { throw SwiftError.notFound }
            let type = object.headers.filter { $0.name == "content-type" }
            object.headers = given.contains { $0.name == "content-type" } ? given : given + type
            object.metadata = metadata
            if object.manifestSize == 0 { object.objectManifest = manifest }
            object.deleteAtSeconds = deleteAt
            object.modifiedMilliseconds = max(now, object.modifiedMilliseconds)
        }
        if !changed.symlinkTarget.isEmpty { return redirectToTarget(of: changed, call) }
        return S3Response(status: .accepted, headers: ["Content-Type": "text/html; charset=UTF-8"])
    }

    // MARK: - DELETE

    func deleteObject(_ call: SwiftCall) async throws -> S3Response {
        let container = try call.requiredContainer()
        if call.request.query["multipart-manifest"] == "delete" {
            guard SwiftRequest.isTrue(call.request.query["async"]) else { return try await deleteManifest(call) }
            try await leaveSegments(call)
        }
        if let version = call.version { return try await deleteVersion(version, in: container, call) }
        let marker = try await delete(call.object ?? [], in: container, call)
        var response = S3Response(status: .noContent)
        if let marker { response.headers.add(name: "X-Object-Version-Id", value: marker) }
        return response
    }

    /// Returns the delete marker that was put, if the container has versions. Throws 404 when there is no object. One that
    /// has expired is not there for clients, but it is listed and takes space: it is deleted too, so that a container can
    /// be emptied.
    @discardableResult
    func delete(_ key: [UInt8], in container: BucketRecord, _ call: SwiftCall) async throws -> String? {
        if try await deleteKeepingPredecessor(key, in: container, call) { return nil }
        return try await deleteCurrent(key, in: container, call)
    }

    /// Without regard to `X-Versions-Location`.
    func deleteCurrent(_ key: [UInt8], in container: BucketRecord, _ call: SwiftCall) async throws -> String? {
        let shared = try shared(call, container, key: key)
        let now = clock() / 1000
        let wasExpired = Mutex(false)
        let marker = try await s3.removeObject(shared.object, shared) { object in
            guard let object else { throw SwiftError.notFound }
            wasExpired.withLock { $0 = object.isExpired(now: now) }
        }
        usage.forget(shared.bucketID)
        if wasExpired.withLock({ $0 }) { throw SwiftError.notFound }
        return marker
    }

    // MARK: - Quotas

    /// 413 when the account or the container has no room for so much more.
    func checkQuotas(_ call: SwiftCall, _ container: BucketRecord, adding bytes: UInt64) async throws {
        let bytesMax = container.headers["x-container-meta-quota-bytes"].flatMap { UInt64($0) }
        let countMax = container.headers["x-container-meta-quota-count"].flatMap { UInt64($0) }
        if bytesMax != nil || countMax != nil {
            let used = await usage.count(of: container, patience: .seconds(3), call.context)
            try Self.check(used, bytes, bytesMax, countMax)
        }
        guard let project = call.project else { return }
        func least(_ names: [String]) -> UInt64? {
            names.compactMap { project.headers[$0].flatMap { UInt64($0) } }.min()
        }
        let (accountMax, accountCountMax) = (least(Self.accountQuotas.bytes), least(Self.accountQuotas.count))
        guard accountMax != nil || accountCountMax != nil, call.caller.credentials?.isReseller != true else { return }
        var used = ContainerUsage.Count()
        for container in tokens.view.containers(project: project.id) {
            let one = await usage.count(of: container, patience: .milliseconds(500), call.context)
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
