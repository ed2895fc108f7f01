/// What somebody may be allowed to do, by IAM's names.
struct S3Action: Hashable, Sendable, CustomStringConvertible {
    /// `s3:GetObject`
    let name: String
    /// About objects; otherwise about a bucket or the service.
    let isAboutObjects: Bool

    var description: String { name }

    static func bucket(_ name: String) -> S3Action { S3Action(name: "s3:" + name, isAboutObjects: false) }
    static func object(_ name: String) -> S3Action { S3Action(name: "s3:" + name, isAboutObjects: true) }

    // Those that more than one place names.
    static let listBucket = bucket("ListBucket")
    static let getObject = object("GetObject")
    static let getObjectVersion = object("GetObjectVersion")
    static let putObject = object("PutObject")
    static let putObjectAcl = object("PutObjectAcl")
    static let putObjectTagging = object("PutObjectTagging")
    static let putObjectRetention = object("PutObjectRetention")
    static let putObjectLegalHold = object("PutObjectLegalHold")
    static let bypassGovernanceRetention = object("BypassGovernanceRetention")
    static let deleteObject = object("DeleteObject")
    static let deleteObjectVersion = object("DeleteObjectVersion")
    static let abortMultipartUpload = object("AbortMultipartUpload")

    /// Every action that an operation needs, or that policies name.
    static let all: [S3Action] = Array(
        Set(
            S3Operation.allCases.flatMap { operation in
                [false, true].compactMap { operation.action(ofVersion: $0) }
            } + [
                bypassGovernanceRetention, putObjectRetention, putObjectLegalHold, deleteObjectVersion,
                object("ReplicateObject"), object("ReplicateDelete"), object("ReplicateTags"),
                object("ObjectOwnerOverrideToBucketOwner"), object("GetObjectVersionForReplication"),
                object("InitiateReplication"), object("GetObjectVersionTorrent"), bucket("ListBucketVersions"),
            ]))

    static let allNames = all.map(\.name)
}

extension S3Operation {
    /// The one table of operation to action. nil: not about anything that may be allowed.
    ///
    /// - Parameter isVersion: the request names a version of the object.
    func action(ofVersion isVersion: Bool) -> S3Action? {
        if isVersion, let action = Self.actionsOfVersions[self] { return action }
        return Self.actions[self]
    }

    private static let actionsOfVersions: [S3Operation: S3Action] = [
        .getObject: .getObjectVersion, .headObject: .getObjectVersion, .deleteObject: .deleteObjectVersion,
        .getObjectAcl: .object("GetObjectVersionAcl"), .putObjectAcl: .object("PutObjectVersionAcl"),
        .getObjectTagging: .object("GetObjectVersionTagging"), .putObjectTagging: .object("PutObjectVersionTagging"),
        .deleteObjectTagging: .object("DeleteObjectVersionTagging"),
        .getObjectAttributes: .object("GetObjectVersionAttributes"),
    ]

    private static let actions: [S3Operation: S3Action] = service.merging(bucket) { first, _ in first }
        .merging(configuration) { first, _ in first }.merging(object) { first, _ in first }

    private static let service: [S3Operation: S3Action] = [
        .listBuckets: .bucket("ListAllMyBuckets"), .listDirectoryBuckets: .bucket("ListAllMyBuckets"),
        .createBucket: .bucket("CreateBucket"),
    ]

    private static let bucket: [S3Operation: S3Action] = [
        .headBucket: .listBucket, .listObjects: .listBucket, .listObjectsV2: .listBucket,
        .listObjectVersions: .bucket("ListBucketVersions"),
        .listMultipartUploads: .bucket("ListBucketMultipartUploads"), .deleteBucket: .bucket("DeleteBucket"),
        .createSession: .bucket("CreateSession"),
    ]

    private static let configuration: [S3Operation: S3Action] = [
        .getBucketLocation: .bucket("GetBucketLocation"),
        .getBucketAcl: .bucket("GetBucketAcl"), .putBucketAcl: .bucket("PutBucketAcl"),
        .getBucketVersioning: .bucket("GetBucketVersioning"), .putBucketVersioning: .bucket("PutBucketVersioning"),
        .getBucketAccelerateConfiguration: .bucket("GetAccelerateConfiguration"),
        .putBucketAccelerateConfiguration: .bucket("PutAccelerateConfiguration"),
        .getBucketAnalyticsConfiguration: .bucket("GetAnalyticsConfiguration"),
        .putBucketAnalyticsConfiguration: .bucket("PutAnalyticsConfiguration"),
        .deleteBucketAnalyticsConfiguration: .bucket("PutAnalyticsConfiguration"),
        .getBucketCors: .bucket("GetBucketCORS"), .putBucketCors: .bucket("PutBucketCORS"),
        .deleteBucketCors: .bucket("PutBucketCORS"),
        .getBucketEncryption: .bucket("GetEncryptionConfiguration"),
        .putBucketEncryption: .bucket("PutEncryptionConfiguration"),
        .deleteBucketEncryption: .bucket("PutEncryptionConfiguration"),
        .getBucketIntelligentTieringConfiguration: .bucket("GetIntelligentTieringConfiguration"),
        .putBucketIntelligentTieringConfiguration: .bucket("PutIntelligentTieringConfiguration"),
        .deleteBucketIntelligentTieringConfiguration: .bucket("PutIntelligentTieringConfiguration"),
        .getBucketInventoryConfiguration: .bucket("GetInventoryConfiguration"),
        .putBucketInventoryConfiguration: .bucket("PutInventoryConfiguration"),
        .deleteBucketInventoryConfiguration: .bucket("PutInventoryConfiguration"),
        .getBucketLifecycleConfiguration: .bucket("GetLifecycleConfiguration"),
        .putBucketLifecycleConfiguration: .bucket("PutLifecycleConfiguration"),
        .deleteBucketLifecycle: .bucket("PutLifecycleConfiguration"),
        .getBucketLogging: .bucket("GetBucketLogging"), .putBucketLogging: .bucket("PutBucketLogging"),
        .getBucketMetadataConfiguration: .bucket("GetBucketMetadataTableConfiguration"),
        .createBucketMetadataConfiguration: .bucket("CreateBucketMetadataTableConfiguration"),
        .deleteBucketMetadataConfiguration: .bucket("DeleteBucketMetadataTableConfiguration"),
        .updateBucketMetadataConfiguration: .bucket("UpdateBucketMetadataTableConfiguration"),
        .getBucketMetricsConfiguration: .bucket("GetMetricsConfiguration"),
        .putBucketMetricsConfiguration: .bucket("PutMetricsConfiguration"),
        .deleteBucketMetricsConfiguration: .bucket("PutMetricsConfiguration"),
        .getBucketNotificationConfiguration: .bucket("GetBucketNotification"),
        .putBucketNotificationConfiguration: .bucket("PutBucketNotification"),
        .getBucketOwnershipControls: .bucket("GetBucketOwnershipControls"),
        .putBucketOwnershipControls: .bucket("PutBucketOwnershipControls"),
        .deleteBucketOwnershipControls: .bucket("PutBucketOwnershipControls"),
        .getBucketPolicy: .bucket("GetBucketPolicy"), .putBucketPolicy: .bucket("PutBucketPolicy"),
        .deleteBucketPolicy: .bucket("DeleteBucketPolicy"),
        .getBucketPolicyStatus: .bucket("GetBucketPolicyStatus"),
        .getBucketReplication: .bucket("GetReplicationConfiguration"),
        .putBucketReplication: .bucket("PutReplicationConfiguration"),
        .deleteBucketReplication: .bucket("PutReplicationConfiguration"),
        .getBucketRequestPayment: .bucket("GetBucketRequestPayment"),
        .putBucketRequestPayment: .bucket("PutBucketRequestPayment"),
        .getBucketTagging: .bucket("GetBucketTagging"), .putBucketTagging: .bucket("PutBucketTagging"),
        .deleteBucketTagging: .bucket("PutBucketTagging"),
        .getBucketWebsite: .bucket("GetBucketWebsite"), .putBucketWebsite: .bucket("PutBucketWebsite"),
        .deleteBucketWebsite: .bucket("DeleteBucketWebsite"),
        .getBucketAbac: .bucket("GetBucketAbac"), .putBucketAbac: .bucket("PutBucketAbac"),
        .getObjectLockConfiguration: .bucket("GetBucketObjectLockConfiguration"),
        .putObjectLockConfiguration: .bucket("PutBucketObjectLockConfiguration"),
        .getPublicAccessBlock: .bucket("GetBucketPublicAccessBlock"),
        .putPublicAccessBlock: .bucket("PutBucketPublicAccessBlock"),
        .deletePublicAccessBlock: .bucket("PutBucketPublicAccessBlock"),
    ]

    private static let object: [S3Operation: S3Action] = [
        .getObject: .getObject, .headObject: .getObject, .putObject: .putObject, .postObject: .putObject,
        .copyObject: .putObject, .renameObject: .putObject, .updateObjectEncryption: .object("UpdateObjectEncryption"),
        .deleteObject: .deleteObject, .deleteObjects: .deleteObject,
        .createMultipartUpload: .putObject, .uploadPart: .putObject, .uploadPartCopy: .putObject,
        .completeMultipartUpload: .putObject, .abortMultipartUpload: .abortMultipartUpload,
        .listParts: .object("ListMultipartUploadParts"),
        .getObjectAcl: .object("GetObjectAcl"), .putObjectAcl: .putObjectAcl,
        .getObjectAttributes: .object("GetObjectAttributes"), .getObjectTorrent: .object("GetObjectTorrent"),
        .getObjectTagging: .object("GetObjectTagging"), .putObjectTagging: .putObjectTagging,
        .deleteObjectTagging: .object("DeleteObjectTagging"),
        .getObjectLegalHold: .object("GetObjectLegalHold"), .putObjectLegalHold: .putObjectLegalHold,
        .getObjectRetention: .object("GetObjectRetention"), .putObjectRetention: .putObjectRetention,
        .restoreObject: .object("RestoreObject"), .selectObjectContent: .getObject,
    ]
}
