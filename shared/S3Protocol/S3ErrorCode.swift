/// Error codes of S3 with their HTTP status and AWS's usual sentence.
public enum S3ErrorCode: String, Sendable, CaseIterable {
    case accessControlListNotSupported = "AccessControlListNotSupported"
    case accessDenied = "AccessDenied"
    case accessForbidden = "AccessForbidden"
    case authorizationHeaderMalformed = "AuthorizationHeaderMalformed"
    case authorizationQueryParametersError = "AuthorizationQueryParametersError"
    case badDigest = "BadDigest"
    case bucketAlreadyExists = "BucketAlreadyExists"
    case bucketAlreadyOwnedByYou = "BucketAlreadyOwnedByYou"
    case bucketNotEmpty = "BucketNotEmpty"
    case conditionalRequestConflict = "ConditionalRequestConflict"
    case entityTooLarge = "EntityTooLarge"
    case entityTooSmall = "EntityTooSmall"
    case expectationFailed = "ExpectationFailed"
    case expiredToken = "ExpiredToken"
    case illegalVersioningConfiguration = "IllegalVersioningConfigurationException"
    case illegalLocationConstraint = "IllegalLocationConstraintException"
    case incompleteBody = "IncompleteBody"
    case incorrectNumberOfFiles = "IncorrectNumberOfFilesInPostRequest"
    case insufficientStorage = "InsufficientStorage"
    case internalError = "InternalError"
    case invalidAccessKeyId = "InvalidAccessKeyId"
    case invalidArgument = "InvalidArgument"
    case invalidBucketACLWithObjectOwnership = "InvalidBucketAclWithObjectOwnership"
    case invalidBucketState = "InvalidBucketState"
    case invalidBucketName = "InvalidBucketName"
    case invalidChunkSize = "InvalidChunkSizeError"
    case invalidDigest = "InvalidDigest"
    case invalidEncryptionAlgorithm = "InvalidEncryptionAlgorithmError"
    case invalidLocationConstraint = "InvalidLocationConstraint"
    case invalidPart = "InvalidPart"
    case invalidPartNumber = "InvalidPartNumber"
    case invalidPartOrder = "InvalidPartOrder"
    case invalidPolicyDocument = "InvalidPolicyDocument"
    case invalidRange = "InvalidRange"
    case invalidRedirectLocation = "InvalidRedirectLocation"
    case invalidRequest = "InvalidRequest"
    case invalidRetentionPeriod = "InvalidRetentionPeriod"
    case invalidSecurity = "InvalidSecurity"
    case invalidStorageClass = "InvalidStorageClass"
    case invalidTag = "InvalidTag"
    case invalidTargetBucketForLogging = "InvalidTargetBucketForLogging"
    case invalidToken = "InvalidToken"
    case invalidURI = "InvalidURI"
    case keyTooLong = "KeyTooLongError"
    case kmsDisabled = "KMS.DisabledException"
    case kmsNotFound = "KMS.NotFoundException"
    case malformedACL = "MalformedACLError"
    case malformedPolicy = "MalformedPolicy"
    case malformedPOSTRequest = "MalformedPOSTRequest"
    case malformedTrailer = "MalformedTrailerError"
    case malformedXML = "MalformedXML"
    case maxMessageLengthExceeded = "MaxMessageLengthExceeded"
    case maxPostPreDataLengthExceeded = "MaxPostPreDataLengthExceededError"
    case metadataTooLarge = "MetadataTooLarge"
    case methodNotAllowed = "MethodNotAllowed"
    case missingContentLength = "MissingContentLength"
    case missingRequestBody = "MissingRequestBodyError"
    case missingSecurityHeader = "MissingSecurityHeader"
    case noSuchBucket = "NoSuchBucket"
    case noSuchBucketPolicy = "NoSuchBucketPolicy"
    case noSuchConfiguration = "NoSuchConfiguration"
    case noSuchCORSConfiguration = "NoSuchCORSConfiguration"
    case noSuchKey = "NoSuchKey"
    case noSuchLifecycleConfiguration = "NoSuchLifecycleConfiguration"
    case noSuchObjectLockConfiguration = "NoSuchObjectLockConfiguration"
    case noSuchPublicAccessBlockConfiguration = "NoSuchPublicAccessBlockConfiguration"
    case noSuchTagSet = "NoSuchTagSet"
    case noSuchUpload = "NoSuchUpload"
    case noSuchVersion = "NoSuchVersion"
    case noSuchWebsiteConfiguration = "NoSuchWebsiteConfiguration"
    case notImplemented = "NotImplemented"
    case notModified = "NotModified"
    case objectLockConfigurationNotFound = "ObjectLockConfigurationNotFoundError"
    case operationAborted = "OperationAborted"
    case ownershipControlsNotFound = "OwnershipControlsNotFoundError"
    case preconditionFailed = "PreconditionFailed"
    /// Ceph's: AWS has no quotas.
    case quotaExceeded = "QuotaExceeded"
    case replicationConfigurationNotFound = "ReplicationConfigurationNotFoundError"
    case requestHeaderSectionTooLarge = "RequestHeaderSectionTooLarge"
    case requestTimeout = "RequestTimeout"
    case requestTimeTooSkewed = "RequestTimeTooSkewed"
    case serverSideEncryptionConfigurationNotFound = "ServerSideEncryptionConfigurationNotFoundError"
    case serviceUnavailable = "ServiceUnavailable"
    case signatureDoesNotMatch = "SignatureDoesNotMatch"
    case slowDown = "SlowDown"
    case tooManyBuckets = "TooManyBuckets"
    case unexpectedContent = "UnexpectedContent"
    case unresolvableGrantByEmailAddress = "UnresolvableGrantByEmailAddress"
    case unsupportedSignature = "UnsupportedSignature"
    case xAmzContentSHA256Mismatch = "XAmzContentSHA256Mismatch"

    /// HTTP status that goes with the code.
    public var status: Int {
        switch self {
        case .notModified: 304
        case .accessDenied, .accessForbidden, .invalidAccessKeyId, .invalidChunkSize, .invalidSecurity,
            .quotaExceeded, .requestTimeTooSkewed,
            .signatureDoesNotMatch:
            403
        case .noSuchBucket, .noSuchBucketPolicy, .noSuchConfiguration, .noSuchCORSConfiguration, .noSuchKey,
            .noSuchLifecycleConfiguration, .noSuchObjectLockConfiguration, .noSuchPublicAccessBlockConfiguration,
            .noSuchTagSet, .noSuchUpload, .noSuchVersion, .noSuchWebsiteConfiguration,
            .objectLockConfigurationNotFound, .ownershipControlsNotFound, .replicationConfigurationNotFound,
            .serverSideEncryptionConfigurationNotFound:
            404
        case .methodNotAllowed: 405
        case .bucketAlreadyExists, .invalidBucketState, .bucketAlreadyOwnedByYou, .bucketNotEmpty,
            .conditionalRequestConflict,
            .operationAborted:
            409
        case .missingContentLength: 411
        case .preconditionFailed: 412
        case .invalidRange, .invalidPartNumber: 416
        case .expectationFailed: 417
        case .internalError: 500
        case .notImplemented: 501
        case .serviceUnavailable, .slowDown: 503
        case .insufficientStorage: 507
        default: 400
        }
    }

    /// The sentence for people when the place of the error knows none better.
    public var message: String { Self.sentences[self] ?? rawValue }

    private static let sentences: [S3ErrorCode: String] = [
        .accessControlListNotSupported: "The bucket does not allow ACLs.",
        .accessDenied: "Access Denied",
        .accessForbidden: "CORSResponse: This CORS request is not allowed.",
        .authorizationHeaderMalformed: "The authorization header that you provided is not valid.",
        .authorizationQueryParametersError: "The authorization query parameters that you provided are not valid.",
        .badDigest: "The Content-MD5 or checksum value that you specified did not match what the server received.",
        .bucketAlreadyExists:
            "The requested bucket name is not available. The bucket namespace is shared by all users of the system. "
            + "Please select a different name and try again.",
        .bucketAlreadyOwnedByYou:
            "Your previous request to create the named bucket succeeded and you already own it.",
        .bucketNotEmpty: "The bucket you tried to delete is not empty",
        .conditionalRequestConflict: "A conflicting conditional operation is currently in progress against this "
            + "resource. Please try again.",
        .entityTooLarge: "Your proposed upload exceeds the maximum allowed size",
        .entityTooSmall: "Your proposed upload is smaller than the minimum allowed size",
        .expectationFailed: "The only expectation that is met is 100-continue.",
        .expiredToken: "The provided token has expired.",
        .illegalLocationConstraint: "The specified location constraint is not valid for this endpoint.",
        .illegalVersioningConfiguration:
            "The versioning configuration specified in the request is invalid.",
        .incompleteBody: "You did not provide the number of bytes specified by the Content-Length HTTP header",
        .incorrectNumberOfFiles: "POST requires exactly one file upload per request.",
        .insufficientStorage: "The disks of the storage nodes are full, nothing was stored. Deleting objects or adding "
            + "disks makes room.",
        .internalError: "We encountered an internal error. Please try again.",
        .invalidAccessKeyId: "The AWS Access Key Id you provided does not exist in our records.",
        .invalidArgument: "Invalid Argument",
        .invalidBucketACLWithObjectOwnership:
            "Bucket cannot have ACLs set with ObjectOwnership's BucketOwnerEnforced setting",
        .invalidBucketState: "The request is not valid with the current state of the bucket.",
        .invalidBucketName: "The specified bucket is not valid.",
        .invalidChunkSize: "The size of a chunk of the aws-chunked body is not valid.",
        .invalidDigest: "The Content-MD5 you specified is not valid.",
        .invalidEncryptionAlgorithm:
            "The encryption request that you specified is not valid. The valid value is AES256.",
        .invalidLocationConstraint: "The specified location-constraint is not valid",
        .invalidPart: "One or more of the specified parts could not be found. The part may not have been uploaded, or "
            + "the specified entity tag may not match the part's entity tag.",
        .invalidPartNumber: "The requested partnumber is not satisfiable",
        .invalidPartOrder: "The list of parts was not in ascending order. Parts must be ordered by part number.",
        .invalidPolicyDocument:
            "The content of the form does not meet the conditions specified in the policy document.",
        .invalidRange: "The requested range is not satisfiable",
        .invalidRedirectLocation: "The website redirect location must have a prefix of 'http://' or 'https://' or '/'.",
        .invalidRequest: "The request is not valid.",
        .invalidRetentionPeriod: "The retention period must be a positive number of days or years.",
        .invalidSecurity: "The provided security credentials are not valid.",
        .invalidStorageClass: "The storage class you specified is not valid",
        .invalidTag: "The tag provided was not a valid tag.",
        .invalidTargetBucketForLogging: "The target bucket for logging does not exist, or is not owned by you.",
        .invalidToken: "The provided token is malformed or otherwise not valid.",
        .invalidURI: "Couldn't parse the specified URI.",
        .keyTooLong: "Your key is too long",
        .kmsDisabled: "The key is disabled.",
        .kmsNotFound: "The key does not exist.",
        .malformedACL: "The XML you provided was not well-formed or did not validate against our published schema",
        .malformedPolicy: "Policies must be valid JSON and the first byte must be the opening brace",
        .malformedPOSTRequest: "The body of your POST request is not well-formed multipart/form-data.",
        .malformedTrailer: "The request contained trailing data that was not well-formed or did not conform to our "
            + "published schema.",
        .malformedXML: "The XML you provided was not well-formed or did not validate against our published schema",
        .maxMessageLengthExceeded: "Your request was too big.",
        .maxPostPreDataLengthExceeded: "Your POST request fields preceding the upload file were too large.",
        .metadataTooLarge: "Your metadata headers exceed the maximum allowed metadata size",
        .methodNotAllowed: "The specified method is not allowed against this resource.",
        .missingContentLength: "You must provide the Content-Length HTTP header.",
        .missingRequestBody: "Request body is empty.",
        .missingSecurityHeader: "Your request was missing a required header.",
        .noSuchBucket: "The specified bucket does not exist",
        .noSuchBucketPolicy: "The bucket policy does not exist",
        .noSuchConfiguration: "The specified configuration does not exist.",
        .noSuchCORSConfiguration: "The CORS configuration does not exist",
        .noSuchKey: "The specified key does not exist.",
        .noSuchLifecycleConfiguration: "The lifecycle configuration does not exist",
        .noSuchObjectLockConfiguration: "The specified object does not have a ObjectLock configuration",
        .noSuchPublicAccessBlockConfiguration: "The public access block configuration was not found",
        .noSuchTagSet: "The TagSet does not exist",
        .noSuchUpload: "The specified upload does not exist. The upload ID may be invalid, or the upload may have "
            + "been aborted or completed.",
        .noSuchVersion: "The specified version does not exist.",
        .noSuchWebsiteConfiguration: "The specified bucket does not have a website configuration",
        .notImplemented: "A header or query you provided implies functionality that is not implemented",
        .notModified: "Not Modified",
        .objectLockConfigurationNotFound: "Object Lock configuration does not exist for this bucket",
        .operationAborted: "A conflicting conditional operation is currently in progress against this resource. "
            + "Please try again.",
        .ownershipControlsNotFound: "The bucket ownership controls were not found",
        .preconditionFailed: "At least one of the pre-conditions you specified did not hold",
        .quotaExceeded: "The quota would be exceeded.",
        .replicationConfigurationNotFound: "The replication configuration was not found",
        .requestHeaderSectionTooLarge: "Your request header section exceeds the maximum allowed size.",
        .requestTimeout: "Your socket connection to the server was not read from or written to within the timeout "
            + "period. Idle connections will be closed.",
        .requestTimeTooSkewed: "The difference between the request time and the current time is too large.",
        .serverSideEncryptionConfigurationNotFound: "The server side encryption configuration was not found",
        .serviceUnavailable: "Service is unable to handle request.",
        .signatureDoesNotMatch: "The request signature we calculated does not match the signature you provided. Check "
            + "your key and signing method.",
        .slowDown: "Please reduce your request rate.",
        .tooManyBuckets: "You have attempted to create more buckets than allowed",
        .unexpectedContent: "This request does not support content",
        .unresolvableGrantByEmailAddress: "The email address you provided does not match any account on record.",
        .unsupportedSignature: "The provided request is signed with a signature version that is not supported.",
        .xAmzContentSHA256Mismatch: "The provided 'x-amz-content-sha256' header does not match what was computed.",
    ]
}
