import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// COPY, and PUT with X-Copy-From.
extension SwiftOperations {
    /// COPY names its destination: it is the PUT the other way round.
    func copyObject(_ call: SwiftCall) async throws -> S3Response {
        guard let destination = call.request.header("destination") else {
            throw SwiftError(412, "Destination header required")
        }
        let account = call.request.header("destination-account").flatMap { PercentEncoding.decode($0) }
        var target = call
        try await place(&target, destination, account: account, header: "Destination")
        target.operation = .putObject
        try check(.writeObject, target)
        return try await copy(from: call, to: target)
    }

    func copy(from header: String, to call: SwiftCall) async throws -> S3Response {
        guard call.request.body.declaredLength ?? 1 == 0 else {
            throw SwiftError(400, "Copy requests require a zero byte body")
        }
        let account = call.request.header("x-copy-from-account").flatMap { PercentEncoding.decode($0) }
        var source = call
        try await place(&source, header, account: account, header: "X-Copy-From")
        source.operation = .getObject
        try check(.readObject, source)
        return try await copy(from: source, to: call)
    }

    /// Sets what the call is about to the account, container and object that a header names.
    func place(
        _ call: inout SwiftCall, _ value: String, account: String?, header: String
    ) async throws {
        guard let decoded = PercentEncoding.decode(value.prefix { $0 != "?" }) else {
            throw SwiftError(412, "\(header) header must be of the form <container name>/<object name>")
        }
        let name = decoded.hasPrefix("/") ? String(decoded.dropFirst()) : decoded
        guard let slash = name.firstIndex(of: "/"), slash != name.startIndex, name.index(after: slash) != name.endIndex,
            !name.utf8.contains(0)
        else {
            throw SwiftError(412, "\(header) header must be of the form <container name>/<object name>")
        }
        let container = String(name[..<slash])
        let object = Array(name[name.index(after: slash)...].utf8)
        try Self.checkContainerName(container)
        try Self.checkObjectName(object)
        if let account {
            guard !account.isEmpty, !account.contains("/") else {
                throw SwiftError(412, "Account name cannot contain slashes")
            }
            call.account = account
            call.project = project(ofAccount: account)
        }
        (call.containerName, call.object, call.container) = (container, object, nil)
        if let project = call.project { call.container = await self.container(container, of: project) }
        call.version = try Self.version(Self.versionID(inHeader: value), in: call.container)
    }

    func check(_ permission: SwiftPermission, _ call: SwiftCall) throws(SwiftError) {
        let decision = SwiftAuthorization.decide(
            permission, call.caller, project: call.project, container: call.container,
            referer: call.request.header("referer"))
        try SwiftAuthorization.check(decision, account: call.account)
    }

    // MARK: - The copy

    func copy(from source: SwiftCall, to call: SwiftCall) async throws -> S3Response {
        let container = try call.requiredContainer()
        let found = try await readable(source)
        guard found.size <= Self.fileSizeMax else { throw SwiftError(413) }
        let modified = SwiftHeaders.lastModifiedSeconds(found.object.modifiedMilliseconds)
        guard
            Preconditions(call.request.headers).evaluate(etag: ETag.unquoted(found.etag), modified: modified)
                == .proceed
        else { throw SwiftError.preconditionFailed }
        var object = try newObject(call)
        try merge(found.object, into: &object, call)
        object.copyLink(of: found.object)
        let ranges = call.request.header("range").flatMap { ByteRangeSet(header: $0) }?.resolved(size: found.size)
        guard ranges?.count ?? 1 == 1, let range = ranges.map(\.first) ?? 0..<found.size else { throw SwiftError(416) }
        let isManifest = Self.readsManifest(source)
        if isManifest, object.objectManifest.isEmpty { object.objectManifest = found.object.objectManifest }
        try await checkQuotas(call, container, adding: UInt64(range.count))
        if isManifest, found.object.manifestSize > 0 {
            try await copyManifest(from: source, as: &object, to: call, container)
        } else {
            try await write(found, range, as: &object, call, container)
        }
        var response = Self.created(object)
        if object.manifestSize > 0 { response.headers.replaceOrAdd(name: "Etag", value: ETag.quoted(object.etag)) }
        let sourceContainer = source.containerName ?? ""
        response.headers.add(
            name: "X-Copied-From",
            value: PercentEncoding.encode(sourceContainer) + "/" + PercentEncoding.encode(source.objectName))
        response.headers.add(name: "X-Copied-From-Account", value: PercentEncoding.encode(source.account))
        response.headers.add(name: "X-Copied-From-Last-Modified", value: HTTPDate.format(modified))
        for field in object.metadata {
            response.headers.add(
                name: SwiftHeaders.titled(SwiftObjects.metadataPrefix + field.name), value: field.value)
        }
        return response
    }

    /// The source's metadata, and over it the request's.
    private func merge(
        _ source: ObjectRecord, into object: inout ObjectRecord, _ call: SwiftCall
    ) throws(SwiftError) {
        guard !SwiftRequest.isTrue(call.request.header("x-fresh-metadata")) else { return }
        let given = Set(object.metadata.map(\.name))
        object.metadata += source.metadata.filter { !given.contains($0.name) }
        try SwiftHeaders.check(object.metadata.map { ($0.name, $0.value) })
        let set = SwiftObjects.headers(call.request.headers)
        let names = Set(set.map(\.name))
        object.headers = set + source.headers.filter { !names.contains($0.name) }
        if object.deleteAtSeconds == 0, !SwiftRequest.isTrue(call.request.header("x-remove-delete-at")) {
            object.deleteAtSeconds = source.deleteAtSeconds
        }
    }

    private func write(
        _ found: ReadableObject, _ range: Range<UInt64>, as object: inout ObjectRecord, _ call: SwiftCall,
        _ container: BucketRecord
    ) async throws {
        let source = HashingSource(try await found.open(range))
        try await write(
            source, expected: UInt64(range.count), as: &object, call, container, condition: .none
        ) { object, content in
            object.size = content.size
            // Clients of this front compare it with what they sent, so it is the MD5 whatever the encryption.
            object.etag = ETag.ofContent(md5: source.md5())
        }
    }
}
