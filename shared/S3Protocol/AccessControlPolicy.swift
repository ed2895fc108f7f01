import Model

/// The canned access control lists that a bucket or object may have.
public enum CannedACL: String, Sendable, CaseIterable {
    case `private` = "private"
    case publicRead = "public-read"
    case publicReadWrite = "public-read-write"
    case authenticatedRead = "authenticated-read"
    /// Only for objects.
    case bucketOwnerRead = "bucket-owner-read"
    case bucketOwnerFullControl = "bucket-owner-full-control"
    /// Only for buckets: for whoever delivers logs.
    case logDeliveryWrite = "log-delivery-write"
}

/// One line of an access control list.
public struct Grant: Sendable, Hashable {
    public enum Grantee: Sendable, Hashable {
        case user(id: String)
        case group(uri: String)

        public static let everyone = Grantee.group(uri: "http://acs.amazonaws.com/groups/global/AllUsers")
        public static let authenticated = Grantee.group(
            uri: "http://acs.amazonaws.com/groups/global/AuthenticatedUsers")
        public static let logDelivery = Grantee.group(uri: "http://acs.amazonaws.com/groups/s3/LogDelivery")

        /// Everybody, or everybody with a signature.
        public var isPublic: Bool { self == .everyone || self == .authenticated }
    }

    public enum Permission: String, Sendable, Hashable, CaseIterable {
        case fullControl = "FULL_CONTROL"
        case read = "READ"
        case write = "WRITE"
        case readACL = "READ_ACP"
        case writeACL = "WRITE_ACP"
    }

    public var grantee: Grantee
    public var permission: Permission

    public init(_ grantee: Grantee, _ permission: Permission) {
        self.grantee = grantee
        self.permission = permission
    }
}

/// Owner and grants of a bucket or object, as GetBucketAcl shows them and PutBucketAcl takes them.
public struct AccessControlPolicy: Sendable, Equatable {
    /// S3's limit.
    public static let grantsMax = 100

    public var owner: String
    public var grants: [Grant]

    public init(owner: String, grants: [Grant]) {
        self.owner = owner
        self.grants = grants
    }

    /// What a canned list means.
    ///
    /// - Parameter bucketOwner: of an object that somebody else may own.
    public init(owner: String, canned: CannedACL, bucketOwner: String? = nil) {
        self.owner = owner
        grants = [Grant(.user(id: owner), .fullControl)]
        switch canned {
        case .private: break
        case .publicRead: grants.append(Grant(.everyone, .read))
        case .publicReadWrite: grants += [Grant(.everyone, .read), Grant(.everyone, .write)]
        case .authenticatedRead: grants.append(Grant(.authenticated, .read))
        case .logDeliveryWrite: grants += [Grant(.logDelivery, .write), Grant(.logDelivery, .readACL)]
        case .bucketOwnerRead, .bucketOwnerFullControl:
            if let bucketOwner, bucketOwner != owner {
                grants.append(Grant(.user(id: bucketOwner), canned == .bucketOwnerRead ? .read : .fullControl))
            }
        }
    }

    /// Whether somebody may do this; nil: a request that nobody has signed.
    public func grants(_ permission: Grant.Permission, to user: String?, ignoringGroups: Bool = false) -> Bool {
        grants.contains { grant in
            guard grant.permission == permission || grant.permission == .fullControl else { return false }
            switch grant.grantee {
            case .user(let id): return user == id
            case .everyone: return !ignoringGroups
            case .authenticated: return !ignoringGroups && user != nil
            case .group: return false
            }
        }
    }

    /// Something is granted to everybody, or to everybody with a signature.
    public var isPublic: Bool { grants.contains { $0.grantee.isPublic } }

    /// The canned list with exactly these grants; nil: there is none.
    public func canned(bucketOwner: String? = nil) -> CannedACL? {
        CannedACL.allCases.first { list in
            Set(AccessControlPolicy(owner: owner, canned: list, bucketOwner: bucketOwner).grants) == Set(grants)
        }
    }
}
