/// Every operation of S3, by AWS's names, whether we implement it or not.
public enum S3Operation: String, Sendable, CaseIterable {
    // The service
    case listBuckets, listDirectoryBuckets
    /// LeoFS's `GET /_leofs_adm/ping`.
    case ping
    // Buckets
    case createBucket, headBucket, deleteBucket, listObjects, listObjectsV2, listObjectVersions, listMultipartUploads
    case deleteObjects, postObject, createSession
    case getBucketLocation, getBucketAcl, putBucketAcl, getBucketVersioning, putBucketVersioning
    case getBucketAccelerateConfiguration, putBucketAccelerateConfiguration
    case getBucketAnalyticsConfiguration, putBucketAnalyticsConfiguration, deleteBucketAnalyticsConfiguration
    case getBucketCors, putBucketCors, deleteBucketCors
    case getBucketEncryption, putBucketEncryption, deleteBucketEncryption
    case getBucketIntelligentTieringConfiguration, putBucketIntelligentTieringConfiguration
    case deleteBucketIntelligentTieringConfiguration
    case getBucketInventoryConfiguration, putBucketInventoryConfiguration, deleteBucketInventoryConfiguration
    case getBucketLifecycleConfiguration, putBucketLifecycleConfiguration, deleteBucketLifecycle
    case getBucketLogging, putBucketLogging
    case getBucketMetadataConfiguration, createBucketMetadataConfiguration, deleteBucketMetadataConfiguration
    case updateBucketMetadataConfiguration
    case getBucketMetricsConfiguration, putBucketMetricsConfiguration, deleteBucketMetricsConfiguration
    case getBucketNotificationConfiguration, putBucketNotificationConfiguration
    case getBucketOwnershipControls, putBucketOwnershipControls, deleteBucketOwnershipControls
    case getBucketPolicy, putBucketPolicy, deleteBucketPolicy, getBucketPolicyStatus
    case getBucketReplication, putBucketReplication, deleteBucketReplication
    case getBucketRequestPayment, putBucketRequestPayment
    case getBucketTagging, putBucketTagging, deleteBucketTagging
    case getBucketWebsite, putBucketWebsite, deleteBucketWebsite
    case getBucketAbac, putBucketAbac
    case getObjectLockConfiguration, putObjectLockConfiguration
    case getPublicAccessBlock, putPublicAccessBlock, deletePublicAccessBlock
    // Objects
    case getObject, headObject, putObject, deleteObject, copyObject, renameObject, updateObjectEncryption
    case getObjectAcl, putObjectAcl, getObjectAttributes, getObjectTorrent
    case getObjectTagging, putObjectTagging, deleteObjectTagging
    case getObjectLegalHold, putObjectLegalHold, getObjectRetention, putObjectRetention
    case restoreObject, selectObjectContent, writeGetObjectResponse
    // Multipart uploads
    case createMultipartUpload, uploadPart, uploadPartCopy, listParts, completeMultipartUpload, abortMultipartUpload
    /// A request to a bucket under its name as a website.
    case webPage
    /// A CORS preflight (`OPTIONS`).
    case preflight
    /// A sub-resource, method or header that belongs to no operation above: always 501.
    case unknown
}
