import S3Protocol
import Wire

/// The one place that decides who may do what. Pure.
///
/// In this order: a denial of the bucket's policy, for everybody but the owner who changes the policy itself; the
/// bucket's owner may do all the rest; what the policy allows; what the access control list of the bucket grants; what
/// that of the object grants. Nothing else is allowed.
enum Authorization {
    enum Decision: Sendable, Equatable {
        case allowed
        case denied
        /// The object decides, by its access control list or its tags: ask again with the object.
        case dependsOnObject
    }

    /// What is known of the object that a request is about.
    enum Object: Sendable {
        case unknown
        case absent
        case present(owner: String, acl: AccessControlPolicy, tags: [String: String])
    }

    /// - Parameters:
    ///   - key: of the object, UTF-8; nil: the bucket itself.
    ///   - creates: the request makes the object, and sets what else it says about it: whoever may write to the bucket may
    ///     do both.
    ///   - context: what conditions ask for; only looked at when the bucket has a policy.
    static func decide(
        _ identity: Identity, _ action: S3Action, key: [UInt8]?, rules: BucketRules, object: Object = .unknown,
        creates: Bool = false, context: () -> PolicyContext
    ) -> Decision {
        let user = identity.userID
        let isOwner = user != nil && user == rules.owner
        switch verdict(user, action, key, rules, object, context) {
        case .denied: return isOwner && action.managesPolicy ? .allowed : .denied
        case .unknown: return .dependsOnObject
        case _ where isOwner: return .allowed
        // A public policy opens nothing to others while that is blocked.
        case .allowed where !(rules.block.restrictPublicBuckets && rules.isPolicyPublic): return .allowed
        default: return byLists(user, action, rules, object, creates: creates)
        }
    }

    private static func verdict(
        _ user: String?, _ action: S3Action, _ key: [UInt8]?, _ rules: BucketRules, _ object: Object,
        _ context: () -> PolicyContext
    ) -> BucketPolicy.Verdict {
        guard let policy = rules.policy else { return .silent }
        var context = context()
        switch object {
        case .unknown: context.existingTags = action.readsTags ? nil : [:]
        case .absent: context.existingTags = [:]
        case .present(_, _, let tags): context.existingTags = tags
        }
        var resource = Array("arn:aws:s3:::\(rules.bucket)".utf8)
        if action.isAboutObjects, let key { resource += [UInt8(ascii: "/")] + key }
        return policy.evaluate(
            PolicyRequest(user: user, action: action.name, resource: resource, context: context))
    }

    // MARK: - Access control lists

    private static func byLists(
        _ user: String?, _ action: S3Action, _ rules: BucketRules, _ object: Object, creates: Bool
    ) -> Decision {
        guard rules.ownership != .bucketOwnerEnforced else { return .denied }
        let ignoresGroups = rules.block.ignorePublicAcls
        if let permission = creates ? .write : action.permissionOnBucket(rules),
            rules.acl.grants(permission, to: user, ignoringGroups: ignoresGroups)
        {
            return .allowed
        }
        guard !creates, let permission = action.permissionOnObject else { return .denied }
        switch object {
        case .unknown: return .dependsOnObject
        case .absent: return .denied
        case .present(let owner, let acl, _):
            if let user, user == owner { return .allowed }
            return acl.grants(permission, to: user, ignoringGroups: ignoresGroups) ? .allowed : .denied
        }
    }
}

extension S3Action {
    /// The owner is never locked out of its own policy.
    fileprivate var managesPolicy: Bool {
        ["s3:GetBucketPolicy", "s3:PutBucketPolicy", "s3:DeleteBucketPolicy"].contains(name)
    }

    /// Operations that look at the object before they do anything: those for which AWS knows `s3:ExistingObjectTag`.
    fileprivate var readsTags: Bool { permissionOnObject != nil || name.hasSuffix("Tagging") && isAboutObjects }

    /// The grant on a bucket that includes the action.
    fileprivate func permissionOnBucket(_ rules: BucketRules) -> Grant.Permission? {
        if rules.listCoversObjects, permissionOnObject == .read { return .read }
        switch name {
        case "s3:ListBucket", "s3:ListBucketVersions", "s3:ListBucketMultipartUploads": return .read
        case "s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts": return .write
        case "s3:GetBucketAcl": return .readACL
        case "s3:PutBucketAcl": return .writeACL
        default: return nil
        }
    }

    /// The grant on an object that includes the action.
    fileprivate var permissionOnObject: Grant.Permission? {
        switch name {
        case "s3:GetObject", "s3:GetObjectVersion", "s3:GetObjectAttributes", "s3:GetObjectVersionAttributes",
            "s3:GetObjectTorrent":
            .read
        case "s3:GetObjectAcl", "s3:GetObjectVersionAcl": .readACL
        case "s3:PutObjectAcl", "s3:PutObjectVersionAcl": .writeACL
        default: nil
        }
    }
}
