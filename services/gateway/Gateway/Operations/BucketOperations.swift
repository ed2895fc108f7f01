import Checksums
import ClusterState
import MessageBus
import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// ListBuckets, CreateBucket, HeadBucket, DeleteBucket, GetBucketLocation.
extension S3Operations {
    func listBuckets(_ request: S3Request) throws -> S3Response {
        guard let owner = request.identity.userID else { throw S3Error(.accessDenied) }
        let prefix = request.query["prefix"] ?? ""
        let limit = try boundedInteger(request.query, "max-buckets", default: 10_000, max: 10_000)
        let after = try request.query["continuation-token"].map { try ContinuationToken.decode($0).position }
        let all = buckets.buckets(owner: owner).filter {
            $0.name.hasPrefix(prefix) && after.map(Array($0.name.utf8).isAfter) ?? true
        }
        let page = all.prefix(limit)
        var writer = XMLWriter()
        writer.element("ListAllMyBucketsResult", namespace: XMLWriter.s3Namespace) { result in
            result.owner(owner)
            result.element("Buckets") { list in
                for bucket in page {
                    list.element("Bucket") { element in
                        element.element("Name", bucket.name)
                        element.element("CreationDate", listedDate(bucket.createdMilliseconds))
                    }
                }
            }
            if let last = page.last, page.count < all.count {
                result.element("ContinuationToken", ContinuationToken.encode(position: Array(last.name.utf8)))
            }
            if !prefix.isEmpty { result.element("Prefix", prefix) }
        }
        return .xml(writer.bytes)
    }

    // MARK: - Create

    func createBucket(_ request: S3Request, _ context: MessageContext) async throws -> S3Response {
        guard let name = request.bucket, isValidBucketName(name) else { throw S3Error(.invalidBucketName) }
        guard let owner = request.identity.userID else { throw S3Error(.accessDenied) }
        let isLocked = request.headers.first(name: "x-amz-bucket-object-lock-enabled")?.lowercased() == "true"
        let access = try newBucketAccess(request, owner: owner)
        let body = try await request.body.collect(upTo: Limits.xmlBodySizeMax)
        let location = try Self.location(CreateBucketDocument(parsing: Array(body.readableBytesView)).location)
        let reply = try await buckets.change(
            ChangeBucketRequest(
                change: .bucketCreate, name: name, owner: owner, acl: access.acl, location: location,
                // So that a repetition at another manager is known as such.
                id: randomBytes(16),
                documents: access.documents + (isLocked ? Self.documentsOfLockedBucket : [])),
            context: context)
        switch reply.outcome {
        case .bucketChanged: break
        // AWS's oldest region answers its owner's repetition with success, all others with the error.
        case .bucketExistsOwned where location.isEmpty && (reply.bucket?.location ?? "").isEmpty: break
        case .bucketExistsOwned: throw S3Error(.bucketAlreadyOwnedByYou, fields: [.init("BucketName", name)])
        case .bucketExistsForeign: throw S3Error(.bucketAlreadyExists, fields: [.init("BucketName", name)])
        case .bucketBusy: throw S3Error(.operationAborted, "The bucket of this name is being deleted.")
        case .bucketLimit: throw S3Error(.tooManyBuckets)
        default: throw S3Error(.internalError)
        }
        return S3Response(headers: ["Location": "/\(name)"])
    }

    /// A bucket with object lock has versions from its beginning.
    private static let documentsOfLockedBucket = [
        BucketDocument(name: ObjectLock.documentName, content: objectLockOfNewBucket),
        BucketDocument(name: BucketRecord.versioningName, content: Array(VersioningMode.enabled.rawValue.utf8)),
    ]

    /// The location as it is stored: the default has no name, as at AWS.
    private static func location(_ constraint: String?) throws -> String {
        guard let constraint, constraint != "us-east-1" else { return "" }
        let allowed = constraint.utf8.allSatisfy { byte in
            byte == UInt8(ascii: "-") || (byte < 0x80 && (Character(UnicodeScalar(byte)).isLetter))
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard allowed, constraint.utf8.count <= 32 else {
            throw S3Error(.invalidLocationConstraint, fields: [.init("LocationConstraint", constraint)])
        }
        return constraint
    }

    // MARK: - Delete

    /// First the manager closes the bucket to writers, then it is looked into, then it goes or is opened again.
    func deleteBucket(_ call: S3Call) async throws -> S3Response {
        guard call.bucket.state != .bucketRemoving else {
            throw S3Error(.operationAborted, "The bucket is being deleted.")
        }
        let begun = try await changeBucket(call, .bucketDeleteBegin)
        guard [.bucketChanged, .bucketBusy].contains(begun) else { throw S3Error(.noSuchBucket) }
        do {
            try await checkEmpty(call)
        } catch {
            _ = try? await changeBucket(call, .bucketDeleteCancel)
            throw error
        }
        let finished = try await changeBucket(call, .bucketDeleteFinish)
        guard [.bucketChanged, .bucketAbsent].contains(finished) else {
            throw S3Error(.serviceUnavailable, "The bucket was changed while it was being deleted.")
        }
        return S3Response(status: .noContent)
    }

    /// Neither an object nor a delete marker, nor an archived version.
    private func checkEmpty(_ call: S3Call) async throws {
        let hasVersions = call.bucket.versioning != .unversioned
        var queries = [ListQuery(bucket: call.bucketID, limit: 1, withMarkers: hasVersions)]
        if hasVersions { queries.append(ListQuery(bucket: call.bucketID, keyspace: .versions, limit: 1)) }
        for query in queries {
            let page = try await storage.list(query, context: call.context)
            guard page.entries.isEmpty else {
                throw S3Error(.bucketNotEmpty, fields: [.init("BucketName", call.bucket.name)])
            }
        }
    }

    private func changeBucket(_ call: S3Call, _ change: BucketChange) async throws -> BucketChangeOutcome {
        try await buckets.change(
            ChangeBucketRequest(
                change: change, name: call.bucket.name, owner: call.bucket.owner, id: call.bucket.id),
            context: call.context
        ).outcome
    }

    // MARK: - Head and location

    func headBucket(_ call: S3Call) async throws -> S3Response {
        let location = call.bucket.location
        return S3Response(headers: ["x-amz-bucket-region": location.isEmpty ? "us-east-1" : location])
    }

    func getBucketLocation(_ call: S3Call) async throws -> S3Response {
        var writer = XMLWriter()
        writer.element("LocationConstraint", namespace: XMLWriter.s3Namespace) { element in
            element.text(call.bucket.location)
        }
        return .xml(writer.bytes)
    }
}

extension [UInt8] {
    /// Comes after the other in the order of keys.
    func isAfter(_ other: [UInt8]) -> Bool { other.lexicographicallyPrecedes(self) }
}
