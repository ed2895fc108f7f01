/// All query parameters by which S3 chooses an operation. What stands here never falls through to a plain GET or PUT:
/// with a method that its row lacks it is ``S3Operation/unknown``, which is answered by 501.
enum SubResources {
    /// The methods that S3 knows.
    enum Method: String {
        case GET, HEAD, PUT, POST, DELETE, OPTIONS
    }

    typealias Row = [Method: S3Operation]

    static let bucket: [String: Row] = [
        "abac": [.GET: .getBucketAbac, .PUT: .putBucketAbac],
        "accelerate": [.GET: .getBucketAccelerateConfiguration, .PUT: .putBucketAccelerateConfiguration],
        "acl": [.GET: .getBucketAcl, .PUT: .putBucketAcl],
        "analytics": [
            .GET: .getBucketAnalyticsConfiguration, .PUT: .putBucketAnalyticsConfiguration,
            .DELETE: .deleteBucketAnalyticsConfiguration,
        ],
        "cors": [.GET: .getBucketCors, .PUT: .putBucketCors, .DELETE: .deleteBucketCors],
        "delete": [.POST: .deleteObjects],
        "encryption": [.GET: .getBucketEncryption, .PUT: .putBucketEncryption, .DELETE: .deleteBucketEncryption],
        "intelligent-tiering": [
            .GET: .getBucketIntelligentTieringConfiguration, .PUT: .putBucketIntelligentTieringConfiguration,
            .DELETE: .deleteBucketIntelligentTieringConfiguration,
        ],
        "inventory": [
            .GET: .getBucketInventoryConfiguration, .PUT: .putBucketInventoryConfiguration,
            .DELETE: .deleteBucketInventoryConfiguration,
        ],
        "lifecycle": [
            .GET: .getBucketLifecycleConfiguration, .PUT: .putBucketLifecycleConfiguration,
            .DELETE: .deleteBucketLifecycle,
        ],
        "location": [.GET: .getBucketLocation],
        "logging": [.GET: .getBucketLogging, .PUT: .putBucketLogging],
        "metadataConfiguration": [
            .GET: .getBucketMetadataConfiguration, .POST: .createBucketMetadataConfiguration,
            .DELETE: .deleteBucketMetadataConfiguration,
        ],
        "metadataInventoryTable": [.PUT: .updateBucketMetadataConfiguration],
        "metadataJournalTable": [.PUT: .updateBucketMetadataConfiguration],
        "metadataTable": [
            .GET: .getBucketMetadataConfiguration, .POST: .createBucketMetadataConfiguration,
            .DELETE: .deleteBucketMetadataConfiguration,
        ],
        "metrics": [
            .GET: .getBucketMetricsConfiguration, .PUT: .putBucketMetricsConfiguration,
            .DELETE: .deleteBucketMetricsConfiguration,
        ],
        "notification": [.GET: .getBucketNotificationConfiguration, .PUT: .putBucketNotificationConfiguration],
        "object-lock": [.GET: .getObjectLockConfiguration, .PUT: .putObjectLockConfiguration],
        "ownershipControls": [
            .GET: .getBucketOwnershipControls, .PUT: .putBucketOwnershipControls,
            .DELETE: .deleteBucketOwnershipControls,
        ],
        "policy": [.GET: .getBucketPolicy, .PUT: .putBucketPolicy, .DELETE: .deleteBucketPolicy],
        "policyStatus": [.GET: .getBucketPolicyStatus],
        "publicAccessBlock": [
            .GET: .getPublicAccessBlock, .PUT: .putPublicAccessBlock, .DELETE: .deletePublicAccessBlock,
        ],
        "replication": [.GET: .getBucketReplication, .PUT: .putBucketReplication, .DELETE: .deleteBucketReplication],
        "requestPayment": [.GET: .getBucketRequestPayment, .PUT: .putBucketRequestPayment],
        "session": [.GET: .createSession],
        "tagging": [.GET: .getBucketTagging, .PUT: .putBucketTagging, .DELETE: .deleteBucketTagging],
        "uploads": [.GET: .listMultipartUploads],
        "versioning": [.GET: .getBucketVersioning, .PUT: .putBucketVersioning],
        "versions": [.GET: .listObjectVersions],
        "website": [.GET: .getBucketWebsite, .PUT: .putBucketWebsite, .DELETE: .deleteBucketWebsite],
    ]

    static let object: [String: Row] = [
        "acl": [.GET: .getObjectAcl, .PUT: .putObjectAcl],
        "append": [:],
        "attributes": [.GET: .getObjectAttributes],
        "encryption": [.PUT: .updateObjectEncryption],
        "legal-hold": [.GET: .getObjectLegalHold, .PUT: .putObjectLegalHold],
        "renameObject": [.PUT: .renameObject],
        "restore": [.POST: .restoreObject],
        "retention": [.GET: .getObjectRetention, .PUT: .putObjectRetention],
        "select": [.POST: .selectObjectContent],
        "tagging": [.GET: .getObjectTagging, .PUT: .putObjectTagging, .DELETE: .deleteObjectTagging],
        "torrent": [.GET: .getObjectTorrent],
        "uploadId": [
            .GET: .listParts, .PUT: .uploadPart, .POST: .completeMultipartUpload, .DELETE: .abortMultipartUpload,
        ],
        "uploads": [.POST: .createMultipartUpload],
    ]

    /// Without a sub-resource.
    static let plainBucket: Row = [
        .GET: .listObjects, .HEAD: .headBucket, .PUT: .createBucket, .DELETE: .deleteBucket, .POST: .postObject,
        .OPTIONS: .preflight,
    ]
    static let plainObject: Row = [
        .GET: .getObject, .HEAD: .headObject, .PUT: .putObject, .DELETE: .deleteObject, .OPTIONS: .preflight,
    ]
}
