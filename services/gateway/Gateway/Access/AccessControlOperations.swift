import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Wire

/// GetBucketAcl, PutBucketAcl, GetObjectAcl, PutObjectAcl.
extension S3Operations {
    func getBucketACL(_ call: S3Call) async throws -> S3Response {
        let isOff = call.rules.ownership == .bucketOwnerEnforced
        return .xml((isOff ? AccessControlPolicy(owner: call.rules.owner, canned: .private) : call.rules.acl).xml())
    }

    func putBucketACL(_ call: S3Call) async throws -> S3Response {
        let policy = try await requestedList(
            call, owner: call.bucket.owner, allowed: RequestedAccessList.forBuckets)
        // The record has names for some canned lists; any other list is kept as its grants.
        let named = policy.canned().flatMap { $0 == .logDeliveryWrite ? nil : $0 }
        let reply = try await buckets.change(
            ChangeBucketRequest(
                change: .bucketSetAcl, name: call.bucket.name, owner: call.bucket.owner,
                acl: (named ?? .private).rawValue, id: call.bucket.id,
                documents: [.init(name: BucketRules.aclDocument, content: named == nil ? policy.xml() : [])]),
            context: call.context)
        try Self.check(reply)
        return S3Response()
    }

    func getObjectACL(_ call: S3Call) async throws -> S3Response {
        let (object, _) = try await readObject(call, withBlob: false)
        guard call.rules.ownership != .bucketOwnerEnforced else {
            return .xml(AccessControlPolicy(owner: call.rules.owner, canned: .private).xml())
        }
        return .xml(object.accessControl(bucketOwner: call.rules.owner).xml())
    }

    func putObjectACL(_ call: S3Call) async throws -> S3Response {
        let owner = try await readObject(call, withBlob: false).record.owner
        let policy = try await requestedList(call, owner: owner, allowed: RequestedAccessList.forObjects)
        let canned = policy.canned(bucketOwner: call.rules.owner)
        let grants = canned == nil ? policy.records : []
        let changed = try await changeObject(call, event: .aclPut) { object in
            object.acl = canned?.rawValue ?? ""
            object.grants = grants
        }
        var response = S3Response()
        addVersion(of: changed, call, to: &response.headers)
        return response
    }

    /// From the headers or from the body.
    private func requestedList(
        _ call: S3Call, owner: String, allowed: Set<CannedACL>
    ) async throws -> AccessControlPolicy {
        let body = try await call.request.body.collect(upTo: Limits.xmlBodySizeMax)
        guard call.rules.ownership != .bucketOwnerEnforced else { throw S3Error(.accessControlListNotSupported) }
        var policy: AccessControlPolicy
        if let list = try RequestedAccessList(call.request.headers, allowed: allowed) {
            guard body.readableBytes == 0 else { throw S3Error(.unexpectedContent) }
            policy = list.policy(owner: owner, bucketOwner: call.rules.owner)
        } else {
            guard body.readableBytes > 0 else { throw S3Error(.missingSecurityHeader) }
            policy = try AccessControlPolicy(parsing: Array(body.readableBytesView))
            // An owner cannot be changed.
            guard policy.owner == owner else { throw S3Error(.accessDenied) }
        }
        try checkList(policy, call)
        return policy
    }
}
