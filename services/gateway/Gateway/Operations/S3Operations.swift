import ClusterState
import Logging
import MessageBus
import Model
import ObjectAccess
import Observability
import S3Protocol
import Wire

/// One request to a bucket or what is in it, allowed as far as the bucket can tell.
struct S3Call: Sendable {
    let request: S3Request
    let bucket: BucketRecord
    let bucketID: BucketID
    let context: MessageContext
    /// What decides about access to the bucket.
    let rules: BucketRules
    /// Milliseconds since 1970.
    let now: Int64
    /// The object must be asked whether the request may have its way: see `authorize`.
    let dependsOnObject: Bool

    var key: String { request.key ?? "" }

    /// The register of the object that the request names.
    var object: RegisterName { RegisterName(bucket: bucketID, key: request.keyBytes) }

    /// Who owns what the request writes: what nobody has signed belongs to the bucket's owner.
    var owner: String { request.identity.userID ?? bucket.owner }

    /// The same call, when the object has a say.
    fileprivate var withDependence: S3Call { judgedAgain(request) }

    /// The same call when the tags in its body are known: conditions about them have not been judged yet.
    func bringing(_ tags: TagSet) -> S3Call {
        var request = request
        request.tags = tags
        return judgedAgain(request)
    }

    private func judgedAgain(_ request: S3Request) -> S3Call {
        S3Call(
            request: request, bucket: bucket, bucketID: bucketID, context: context, rules: rules, now: now,
            dependsOnObject: true)
    }
}

/// All operations of S3, one extension a family. Stateless: everything is in the cluster.
final class S3Operations: S3Handling {
    let storage: any ObjectStorage
    let buckets: BucketDirectory
    let encryptionKeys: EncryptionKeys
    let logger: Logger
    /// Milliseconds since 1970: only for what people read.
    let clock: @Sendable () -> Int64
    /// For deadlines.
    let now: @Sendable () -> ContinuousClock.Instant
    let abandoned: AbandonedContent
    private let rules: BucketRulesCache
    let versions: ObjectVersions
    let archive: VersionArchive
    let lifecycles: LifecycleCache
    let quotas: Quotas
    /// nil: nobody is told about events.
    let notifier: Notifier?
    let logs: BucketLogs

    /// - Parameter listCoversObjects: the access control list of a bucket also opens the objects in it.
    init(
        storage: any ObjectStorage, buckets: BucketDirectory, encryptionKeys: EncryptionKeys, quotas: Quotas,
        notifier: Notifier? = nil, logger: Logger,
        metrics: MetricsRegistry, listCoversObjects: Bool = false,
        clock: @escaping @Sendable () -> Int64, now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
        lifecycle: LifecycleClock = LifecycleClock(day: .seconds(86_400))
    ) {
        self.storage = storage
        self.buckets = buckets
        self.encryptionKeys = encryptionKeys
        self.logger = logger
        self.clock = clock
        self.now = now
        rules = BucketRulesCache(listCoversObjects: listCoversObjects)
        abandoned = AbandonedContent(storage: storage, logger: logger, metrics: metrics)
        versions = ObjectVersions(storage, clock: clock)
        archive = VersionArchive(versions, logger: logger)
        lifecycles = LifecycleCache(lifecycle)
        self.quotas = quotas
        self.notifier = notifier
        logs = BucketLogs(metrics)
    }

    func handle(_ request: S3Request) async -> S3Response {
        let start = now()
        var errorCode: S3ErrorCode?
        var response: S3Response
        do {
            response = try await perform(request)
        } catch {
            let answer = S3Error(error)
            errorCode = answer.code
            if answer.status >= 500, answer.code != .notImplemented {
                logger.warning(
                    "request failed",
                    metadata: [
                        "request": "\(request.id)", "operation": "\(request.operation)", "code": "\(answer.code)",
                        "error": "\(error)",
                    ])
            }
            response = answer.response(to: request)
        }
        addCORS(to: &response, request)
        log(request, response, errorCode: errorCode, since: start)
        return response
    }

    func perform(_ request: S3Request) async throws -> S3Response {
        let context = MessageContext(requestID: request.id)
        switch request.operation {
        case .listBuckets, .createBucket:
            // Whoever has keys may have buckets.
            guard request.identity != .anonymous else { throw S3Error(.accessDenied) }
            return request.operation == .listBuckets
                ? try listBuckets(request) : try await createBucket(request, context)
        case .preflight: return try await preflight(request)
        case .webPage: return await webPage(request)
        default:
            guard let operation = Self.table[request.operation] else { throw S3Error(.notImplemented) }
            let call = try await call(request, context)
            try await checkQuota(call)
            return try await operation(self)(call)
        }
    }

    /// Finds the bucket and asks whether the request is allowed.
    private func call(_ request: S3Request, _ context: MessageContext) async throws -> S3Call {
        guard let name = request.bucket else { throw S3Error(.methodNotAllowed) }
        let bucket = try await buckets.find(name)
        guard let id = bucket.bucketID else { throw S3Error(.internalError) }
        try checkOwner(request.headers.first(name: "x-amz-expected-bucket-owner"), of: bucket)
        let call = S3Call(
            request: request, bucket: bucket, bucketID: id, context: context, rules: try rules(of: bucket),
            now: clock(), dependsOnObject: false)
        let decision = try Self.decide(call)
        guard decision != .denied else { throw S3Error(.accessDenied) }
        if request.key != nil { try checkKey(request.key ?? "") }
        return decision == .dependsOnObject ? call.withDependence : call
    }

    /// A client may say whose bucket it expects.
    func checkOwner(_ expected: String?, of bucket: BucketRecord) throws {
        guard expected == nil || expected == bucket.owner else { throw S3Error(.accessDenied) }
    }

    func rules(of bucket: BucketRecord) throws(S3Error) -> BucketRules { try rules.rules(of: bucket) }

    private static func decide(_ call: S3Call) throws -> Authorization.Decision {
        let operation = call.request.operation
        guard let action = operation.action(ofVersion: call.request.query.contains("versionId")) else {
            throw S3Error(.notImplemented)
        }
        guard call.acceptsCosts else { return .denied }
        // Each of the keys in the body is asked about by itself.
        if operation == .deleteObjects { return .allowed }
        let decision = call.decision(action)
        guard decision != .denied, call.furtherActions.allSatisfy({ call.decision($0, creates: true) == .allowed })
        else { return .denied }
        return decision
    }

    // MARK: - The table

    typealias Operation = @Sendable (S3Operations) -> @Sendable (S3Call) async throws -> S3Response

    /// Operations on buckets and objects. What is in no table is not implemented.
    private static let table: [S3Operation: Operation] = bucketTable.merging(objectTable) { first, _ in first }
        .merging(multipartTable) { first, _ in first }
        .merging(taggingTable) { first, _ in first }
        .merging(accessTable) { first, _ in first }
        .merging(corsTable) { first, _ in first }
        .merging(bucketExtrasTable) { first, _ in first }
        .merging(notificationTable) { first, _ in first }
        .merging(loggingTable) { first, _ in first }
        .merging(encryptionTable) { first, _ in first }
        .merging(websiteTable) { first, _ in first }
        .merging(versioningTable) { first, _ in first }
        .merging(objectLockTable) { first, _ in first }
        .merging(lifecycleTable) { first, _ in first }
        .merging(emptyConfigurationTable) { first, _ in first }

    private static let bucketTable: [S3Operation: Operation] = [
        .headBucket: { $0.headBucket },
        .deleteBucket: { $0.deleteBucket },
        .getBucketLocation: { $0.getBucketLocation },
        .getBucketAcl: { $0.getBucketACL },
        .putBucketAcl: { $0.putBucketACL },
        .listObjects: { $0.listObjects },
        .listObjectsV2: { $0.listObjectsV2 },
        .deleteObjects: { $0.deleteObjects },
    ]

    private static let objectTable: [S3Operation: Operation] = [
        .getObject: { $0.getObject },
        .headObject: { $0.headObject },
        .putObject: { $0.putObject },
        .postObject: { $0.postObject },
        .deleteObject: { $0.deleteObject },
        .copyObject: { $0.copyObject },
        .getObjectAcl: { $0.getObjectACL },
        .putObjectAcl: { $0.putObjectACL },
        .getObjectAttributes: { $0.getObjectAttributes },
        .getObjectTagging: { $0.getObjectTagging },
        .putObjectTagging: { $0.putObjectTagging },
        .deleteObjectTagging: { $0.deleteObjectTagging },
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
