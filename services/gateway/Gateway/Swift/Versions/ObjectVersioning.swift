import ClusterState
import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Signatures
import Wire

/// Versions of objects as Swift's `object_versioning` has them (X-Versions-Enabled). They are those of S3: a container whose
/// versions are kept is a bucket with versioning, and either front sees what the other has made.
extension SwiftOperations {
    // MARK: - Containers

    /// What a PUT or POST of a container says about versions; nil: nothing.
    static func requestedVersioning(_ call: SwiftCall) throws(SwiftError) -> VersioningMode? {
        guard let value = call.request.header("x-versions-enabled") else { return nil }
        guard SwiftRequest.isTrue(value) else {
            return call.container?.versioning ?? .unversioned == .unversioned ? nil : .suspended
        }
        let headers = call.request.headers
        let hasLocation = LegacyVersions.headers.contains { name in
            headers.first(name: name)?.isEmpty == false || call.container?.headers[name] != nil
        }
        guard !hasLocation else {
            throw SwiftError(
                400,
                "Cannot enable object versioning on a container that is already using the legacy versioned writes feature."
            )
        }
        return .enabled
    }

    func set(
        _ versioning: VersioningMode?, of name: String, in project: ProjectRecord, _ call: SwiftCall
    ) async throws {
        guard let versioning else { return }
        guard let container = await container(name, of: project) else { throw SwiftError(503) }
        guard container.versioning != versioning else { return }
        guard versioning == .enabled || container.objectLock == nil else {
            throw SwiftError(409, "Objects of the container are locked: its versions must be kept.")
        }
        let document = BucketDocument(name: BucketRecord.versioningName, content: Array(versioning.rawValue.utf8))
        try await s3.set([document], try shared(call, container, key: []))
    }

    // MARK: - Objects

    /// A version that a request names, as records have it; nil: the current one.
    static func version(_ text: String?, in container: BucketRecord?) throws(SwiftError) -> String? {
        guard let text, let container else { return nil }
        if text == "null" { return "" }
        guard container.versioning != .unversioned else {
            throw SwiftError(400, "version-aware operations require that the container is versioned")
        }
        guard VersionName(id: text) != nil else { throw SwiftError(400, "Invalid version parameter") }
        return text
    }

    /// `/c/o?version-id=…` in X-Copy-From.
    static func versionID(inHeader value: String) -> String? {
        guard let question = value.firstIndex(of: "?"),
            let query = try? QueryParameters(rawQuery: value[value.index(after: question)...])
        else { return nil }
        return query.items.first { $0.name == Array("version-id".utf8) }
            .flatMap { String(validating: $0.value ?? [], as: UTF8.self) }
    }

    static func addVersion(of object: ObjectRecord, _ call: SwiftCall, to headers: inout HTTPHeaders) {
        guard !object.isNull || call.container?.versioning ?? .unversioned != .unversioned else { return }
        headers.replaceOrAdd(name: "X-Object-Version-Id", value: object.isNull ? "null" : object.versionId)
    }

    /// `DELETE ?version-id`: for good. The newest of the others becomes the object, if it was the current one.
    func deleteVersion(_ version: String, in container: BucketRecord, _ call: SwiftCall) async throws -> S3Response {
        let shared = try shared(call, container, key: call.object ?? [])
        try await s3.removeObject(shared.object, version: version, shared) { object in
            guard object != nil else { throw SwiftError.notFound }
        }
        usage.forget(shared.bucketID)
        var response = S3Response(status: .noContent)
        response.headers.add(name: "X-Object-Version-Id", value: version.isEmpty ? "null" : version)
        let (current, _) = try await s3.read(nil, of: shared.object, withBlob: false, shared)
        if let current, !current.isDeleteMarker {
            response.headers.add(
                name: "X-Object-Current-Version-Id", value: current.isNull ? "null" : current.versionId)
        }
        return response
    }

    /// `PUT ?version-id` without a body: that version is copied above the others.
    func restoreVersion(_ call: SwiftCall) async throws -> S3Response {
        guard call.request.body.declaredLength ?? 1 == 0 else {
            throw SwiftError(400, "PUT version-id requests require a zero byte body")
        }
        var (source, target) = (call, call)
        source.operation = .getObject
        target.version = nil
        try check(.readObject, source)
        var response = try await copy(from: source, to: target)
        for name in ["X-Copied-From", "X-Copied-From-Account", "X-Copied-From-Last-Modified"] {
            response.headers.remove(name: name)
        }
        return response
    }
}
