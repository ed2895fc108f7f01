import Checksums
import ClusterState
import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// Operations on containers.
extension SwiftOperations {
    /// Headers of a container that are no metadata and can be set.
    static let containerSettings = [
        "x-container-read", "x-container-write", "x-container-sync-to", "x-container-sync-key", "x-versions-location",
        "x-history-location",
    ]

    // MARK: - PUT, POST, DELETE

    func putContainer(_ call: SwiftCall) async throws -> S3Response {
        let project = try call.requiredProject()
        guard let name = call.containerName, let credentials = call.caller.credentials else {
            throw SwiftError.forbidden
        }
        try checkPolicy(call)
        let versioning = try Self.requestedVersioning(call)
        let headers = try containerChanges(call)
        let reply = try await s3.buckets.change(
            ChangeBucketRequest(
                change: .containerCreate, name: name, owner: credentials.ownerID, id: randomBytes(16),
                project: project.id, headers: headers.filter { !$0.value.isEmpty || call.container != nil }),
            context: call.context)
        switch reply.outcome {
        case .bucketChanged, .bucketExistsOwned:
            try await set(versioning, of: name, in: project, call)
            return S3Response(status: reply.outcome == .bucketChanged ? .created : .accepted)
        case .bucketBusy: throw SwiftError(409)
        case .bucketLimit: throw SwiftError(403, "Reached container limit of the account")
        default: throw SwiftError(500)
        }
    }

    private func checkPolicy(_ call: SwiftCall) throws(SwiftError) {
        guard let policy = call.request.header("x-storage-policy"), !policy.isEmpty else { return }
        guard policy.lowercased() == Self.policy else { throw SwiftError(400, "Invalid X-Storage-Policy '\(policy)'") }
    }

    func postContainer(_ call: SwiftCall) async throws -> S3Response {
        let container = try call.requiredContainer()
        let versioning = try Self.requestedVersioning(call)
        let headers = try containerChanges(call)
        if !headers.isEmpty {
            let reply = try await s3.buckets.change(
                ChangeBucketRequest(
                    change: .containerSetHeaders, name: container.name, id: container.id, headers: headers),
                context: call.context)
            switch reply.outcome {
            case .bucketChanged: break
            case .bucketAbsent: throw SwiftError.notFound
            default: throw SwiftError(409)
            }
        }
        try await set(versioning, of: container.containerName, in: try call.requiredProject(), call)
        return S3Response(status: .noContent)
    }

    private func containerChanges(_ call: SwiftCall) throws -> [SwiftHeader] {
        var headers = try SwiftHeaders.changes(
            call.request.headers, kind: "container", others: Self.containerSettings)
        for index in headers.indices {
            let header = headers[index]
            switch header.name {
            case "x-container-read", "x-container-write":
                headers[index].value = try AccessList.cleaned(
                    header.value, header: SwiftHeaders.titled(header.name), isWrite: header.name == "x-container-write")
            case "x-container-meta-quota-bytes" where !header.value.isEmpty && UInt64(header.value) == nil:
                throw SwiftError(400, "Invalid bytes quota.")
            case "x-container-meta-quota-count" where !header.value.isEmpty && UInt64(header.value) == nil:
                throw SwiftError(400, "Invalid count quota.")
            case "x-container-sync-to", "x-container-sync-key":
                // What is not done must not look as if it were.
                guard header.value.isEmpty else {
                    throw SwiftError(501, "\(SwiftHeaders.titled(header.name)) is not supported")
                }
            default: break
            }
        }
        try Self.checkVersionLocations(&headers, call)
        try SwiftHeaders.checkMerged(call.container?.headers ?? [], headers, kind: "container")
        return headers
    }

    /// As DeleteBucket: the manager closes it to writers, then it is looked into, then it goes or is opened again.
    func deleteContainer(_ call: SwiftCall) async throws -> S3Response {
        let container = try call.requiredContainer()
        do {
            return try await s3.deleteBucket(try shared(call, container, key: [], .deleteBucket))
        } catch let error as S3Error where error.code == .bucketNotEmpty {
            throw SwiftError(
                409, container.versioning == .unversioned ? nil : "Delete all versions before deleting container.")
        }
    }

    // MARK: - GET and HEAD

    func getContainer(_ call: SwiftCall) async throws -> S3Response {
        let container = try call.requiredContainer()
        guard container.state == .bucketActive, let id = container.bucketID else { throw SwiftError.notFound }
        let query = call.operation == .getContainer ? try ListingQuery(call.request) : nil
        let patience: Duration = query == nil ? .seconds(3) : .milliseconds(300)
        let used = await usage.count(of: container, patience: patience, call.context)
        let headers = containerHeaders(call, container, used)
        guard let query else {
            var response = S3Response(status: .noContent, headers: headers)
            response.headers.add(name: "Content-Type", value: "text/plain; charset=utf-8")
            return response
        }
        let entries =
            call.request.query["versions"] == nil
            ? try await listing(query, of: id, call) : try await versionListing(query, of: id, call)
        return query.format.response(
            containerName: call.containerName ?? "", entries, accountPath: "/v1/" + settings.accountPrefix,
            headers: headers)
    }

    private func containerHeaders(
        _ call: SwiftCall, _ container: BucketRecord, _ usage: ContainerUsage.Count
    ) -> HTTPHeaders {
        var headers = HTTPHeaders()
        headers.add(name: "X-Container-Object-Count", value: String(usage.objects))
        headers.add(name: "X-Container-Bytes-Used", value: String(usage.bytes))
        headers.add(name: "X-Timestamp", value: SwiftHeaders.timestamp(container.createdMilliseconds))
        headers.add(
            name: "Last-Modified",
            value: HTTPDate.format(SwiftHeaders.lastModifiedSeconds(container.createdMilliseconds)))
        headers.add(name: "X-Storage-Policy", value: Self.policy)
        headers.add(name: "Accept-Ranges", value: "bytes")
        if container.versioning != .unversioned {
            headers.add(name: "X-Versions-Enabled", value: container.versioning == .enabled ? "True" : "False")
        }
        Self.show(container.headers, to: call, in: &headers)
        return headers
    }
}
