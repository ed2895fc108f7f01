import ClusterState
import Logging
import MessageBus
import Model
import Observability
import S3Protocol
import Wire

/// One request to a bucket or what is in it, allowed as far as the bucket can tell.
struct S3Call: Sendable {
    let request: S3Request
    let bucket: BucketRecord
    let bucketID: BucketID
    let context: MessageContext
    /// The object must be asked whether it may be read.
    let dependsOnObject: Bool

    var key: String { request.key ?? "" }

    /// The register of the object that the request names.
    var object: RegisterName { RegisterName(bucket: bucketID, key: request.keyBytes) }

    /// Who owns what the request writes: what nobody has signed belongs to the bucket's owner.
    var owner: String { request.identity.userID ?? bucket.owner }
}

/// All operations of S3, one extension a family. Stateless: everything is in the cluster.
final class S3Operations: S3Handling {
    let storage: any ObjectStorage
    let buckets: BucketDirectory
    let logger: Logger
    /// Milliseconds since 1970: only for what people read.
    let clock: @Sendable () -> Int64
    /// For deadlines.
    let now: @Sendable () -> ContinuousClock.Instant
    let abandoned: AbandonedContent

    init(
        storage: any ObjectStorage, buckets: BucketDirectory, logger: Logger, metrics: MetricsRegistry,
        clock: @escaping @Sendable () -> Int64, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now }
    ) {
        self.storage = storage
        self.buckets = buckets
        self.logger = logger
        self.clock = clock
        self.now = now
        abandoned = AbandonedContent(storage: storage, logger: logger, metrics: metrics)
    }

    func handle(_ request: S3Request) async -> S3Response {
        do {
            return try await perform(request)
        } catch {
            let answer = S3Error(error)
            if answer.status >= 500, answer.code != .notImplemented {
                logger.warning(
                    "request failed",
                    metadata: [
                        "request": "\(request.id)", "operation": "\(request.operation)", "code": "\(answer.code)",
                        "error": "\(error)",
                    ])
            }
            return answer.response(to: request)
        }
    }

    private func perform(_ request: S3Request) async throws -> S3Response {
        let context = MessageContext(requestID: request.id)
        switch request.operation {
        case .listBuckets:
            try allow(request, bucket: nil)
            return try listBuckets(request)
        case .createBucket:
            try allow(request, bucket: nil)
            return try await createBucket(request, context)
        default:
            guard let operation = Self.table[request.operation] else { throw S3Error(.notImplemented) }
            let call = try await call(request, context)
            return try await operation(self)(call)
        }
    }

    /// Finds the bucket and asks whether the request is allowed.
    private func call(_ request: S3Request, _ context: MessageContext) async throws -> S3Call {
        guard let name = request.bucket else { throw S3Error(.methodNotAllowed) }
        let bucket = try await buckets.find(name)
        guard let id = bucket.bucketID else { throw S3Error(.internalError) }
        let dependsOnObject = try allow(request, bucket: bucket) == .dependsOnObject
        if request.key != nil { try checkKey(request.key ?? "") }
        return S3Call(
            request: request, bucket: bucket, bucketID: id, context: context, dependsOnObject: dependsOnObject)
    }

    @discardableResult
    private func allow(_ request: S3Request, bucket: BucketRecord?) throws -> Authorization.Decision {
        let decision = Authorization.decide(request.operation, request.identity, bucket: bucket)
        guard decision != .denied else { throw S3Error(.accessDenied) }
        return decision
    }

    // MARK: - The table

    typealias Operation = @Sendable (S3Operations) -> @Sendable (S3Call) async throws -> S3Response

    /// Operations on buckets and objects. What is in no table is not implemented.
    private static let table: [S3Operation: Operation] = bucketTable.merging(objectTable) { first, _ in first }
        .merging(multipartTable) { first, _ in first }
        .merging(taggingTable) { first, _ in first }
        .merging(emptyConfigurationTable) { first, _ in first }

    private static let bucketTable: [S3Operation: Operation] = [
        .headBucket: { $0.headBucket },
        .deleteBucket: { $0.deleteBucket },
        .getBucketLocation: { $0.getBucketLocation },
        .getBucketAcl: { $0.getBucketACL },
        .putBucketAcl: { $0.putBucketACL },
        .listObjects: { $0.listObjects },
        .listObjectsV2: { $0.listObjectsV2 },
        .listObjectVersions: { $0.listObjectVersions },
        .deleteObjects: { $0.deleteObjects },
    ]

    private static let objectTable: [S3Operation: Operation] = [
        .getObject: { $0.getObject },
        .headObject: { $0.headObject },
        .putObject: { $0.putObject },
        .deleteObject: { $0.deleteObject },
        .copyObject: { $0.copyObject },
        .getObjectAcl: { $0.getObjectACL },
        .putObjectAcl: { $0.putObjectACL },
        .getObjectTagging: { $0.getObjectTagging },
    ]

    private static let multipartTable: [S3Operation: Operation] = [
        .createMultipartUpload: { $0.createMultipartUpload },
        .uploadPart: { $0.uploadPart },
        .uploadPartCopy: { $0.uploadPartCopy },
        .listParts: { $0.listParts },
        .listMultipartUploads: { $0.listMultipartUploads },
        .completeMultipartUpload: { $0.completeMultipartUpload },
        .abortMultipartUpload: { $0.abortMultipartUpload },
    ]
}
