import ClusterState
import Model
import NIOHTTP1
import S3Protocol
import Wire

/// Configurations of a bucket that decide about access: policy, public access block, ownership controls.
extension S3Operations {
    static let accessTable: [S3Operation: Operation] = [
        .getBucketPolicy: get(policy), .putBucketPolicy: put(policy), .deleteBucketPolicy: delete(policy),
        .getBucketPolicyStatus: { $0.getBucketPolicyStatus },
        .getPublicAccessBlock: get(publicAccessBlock), .putPublicAccessBlock: put(publicAccessBlock),
        .deletePublicAccessBlock: delete(publicAccessBlock),
        .getBucketOwnershipControls: get(ownershipControls), .putBucketOwnershipControls: put(ownershipControls),
        .deleteBucketOwnershipControls: delete(ownershipControls),
    ]

    private static let policy = BucketConfiguration(
        name: "policy", absence: .error(.noSuchBucketPolicy), contentType: "application/json", putStatus: 204
    ) { body, call, operations in
        let policy = try BucketPolicy(
            parsing: body, bucket: call.bucket.name, isUser: operations.buckets.isUser)
        if call.rules.block.blockPublicPolicy, policy.isPublic { throw S3Error(.accessDenied) }
        return body
    }

    func getBucketPolicyStatus(_ call: S3Call) async throws -> S3Response {
        guard call.rules.policy != nil else {
            throw S3Error(.noSuchBucketPolicy, fields: [.init("BucketName", call.bucket.name)])
        }
        var writer = XMLWriter()
        writer.element("PolicyStatus", namespace: XMLWriter.s3Namespace) { status in
            status.element("IsPublic", call.rules.isPolicyPublic)
        }
        return .xml(writer.bytes)
    }

    private static let publicAccessBlock = BucketConfiguration(
        name: "publicAccessBlock", absence: .error(.noSuchPublicAccessBlockConfiguration)
    ) { body, _, _ in
        try PublicAccessBlock(parsing: body).xml()
    }

    private static let ownershipControls = BucketConfiguration(
        name: "ownershipControls", absence: .error(.ownershipControlsNotFound)
    ) { body, call, _ in
        let ownership = try ObjectOwnership(parsing: body)
        let owner = AccessControlPolicy(owner: call.rules.owner, canned: .private)
        guard ownership != .bucketOwnerEnforced || call.rules.acl == owner else {
            throw S3Error(.invalidBucketACLWithObjectOwnership)
        }
        return ownership.xml()
    }
}

extension S3Operations {
    /// What the headers of CreateBucket say about access to the bucket: the canned list that its record names, and
    /// configurations.
    func newBucketAccess(
        _ request: S3Request, owner: String
    ) throws(S3Error) -> (acl: String, documents: [BucketDocument]) {
        var documents: [BucketDocument] = []
        var ownership = ObjectOwnership.objectWriter
        if let name = request.headers.first(name: "x-amz-object-ownership") {
            guard let wanted = ObjectOwnership(rawValue: name) else {
                throw S3Error.invalidArgument(
                    "Invalid x-amz-object-ownership header: \(name)", name: "x-amz-object-ownership", value: name)
            }
            ownership = wanted
            documents.append(BucketDocument(name: "ownershipControls", content: ownership.xml()))
        }
        let list = try RequestedAccessList(request.headers, allowed: RequestedAccessList.forBuckets)
        guard let list, list != .canned(.private) else { return (CannedACL.private.rawValue, documents) }
        guard ownership != .bucketOwnerEnforced else { throw S3Error(.invalidBucketACLWithObjectOwnership) }
        let policy = list.policy(owner: owner, bucketOwner: owner)
        try checkGrantees(policy)
        if let canned = policy.canned(), canned != .logDeliveryWrite { return (canned.rawValue, documents) }
        documents.append(BucketDocument(name: BucketRules.aclDocument, content: policy.xml()))
        return (CannedACL.private.rawValue, documents)
    }
}
