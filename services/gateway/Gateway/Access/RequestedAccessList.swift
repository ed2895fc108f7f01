import NIOHTTP1
import S3Protocol
import Wire

/// The access control list that the headers of a request ask for: a canned one, or grants.
enum RequestedAccessList: Sendable, Equatable {
    case canned(CannedACL)
    case grants([Grant])

    private static let grantHeaders: [(name: String, permission: Grant.Permission)] = [
        ("x-amz-grant-full-control", .fullControl), ("x-amz-grant-read", .read), ("x-amz-grant-write", .write),
        ("x-amz-grant-read-acp", .readACL), ("x-amz-grant-write-acp", .writeACL),
    ]

    /// nil: the headers say nothing.
    init?(_ headers: HTTPHeaders, allowed: Set<CannedACL>) throws(S3Error) {
        var grants: [Grant] = []
        for (name, permission) in Self.grantHeaders {
            for value in headers[name] { grants += try Grant.grants(header: value, permission) }
        }
        guard let value = headers.first(name: "x-amz-acl") else {
            guard !grants.isEmpty else { return nil }
            guard grants.count <= AccessControlPolicy.grantsMax else { throw S3Error(.malformedACL) }
            self = .grants(grants)
            return
        }
        guard grants.isEmpty else {
            throw S3Error(.invalidRequest, "Specifying both Canned ACLs and Header Grants is not allowed")
        }
        guard let list = CannedACL(rawValue: value), allowed.contains(list) else {
            throw S3Error.invalidArgument("", name: "x-amz-acl", value: value)
        }
        self = .canned(list)
    }

    func policy(owner: String, bucketOwner: String) -> AccessControlPolicy {
        switch self {
        case .canned(let list): AccessControlPolicy(owner: owner, canned: list, bucketOwner: bucketOwner)
        case .grants(let grants): AccessControlPolicy(owner: owner, grants: grants)
        }
    }

    static let forBuckets: Set<CannedACL> = [
        .private, .publicRead, .publicReadWrite, .authenticatedRead, .logDeliveryWrite,
    ]
    static let forObjects: Set<CannedACL> = [
        .private, .publicRead, .publicReadWrite, .authenticatedRead, .bucketOwnerRead, .bucketOwnerFullControl,
    ]
}

/// Owner and access control list of an object that is about to be made, as its record keeps them.
struct ObjectAccess: Sendable, Equatable {
    var owner: String
    /// Canned; empty: private.
    var acl = ""
    var grants: [GrantRecord] = []
}

extension AccessControlPolicy {
    /// From the fields of a record.
    init(owner: String, canned: String, grants: [GrantRecord], bucketOwner: String) {
        guard !grants.isEmpty else {
            self.init(owner: owner, canned: CannedACL(rawValue: canned) ?? .private, bucketOwner: bucketOwner)
            return
        }
        self.init(
            owner: owner,
            grants: grants.compactMap { grant in
                guard let permission = Grant.Permission(rawValue: grant.permission) else { return nil }
                let isGroup = grant.grantee.hasPrefix("http://")
                return Grant(isGroup ? .group(uri: grant.grantee) : .user(id: grant.grantee), permission)
            })
    }

    /// As records keep grants.
    var records: [GrantRecord] {
        grants.map { grant in
            switch grant.grantee {
            case .user(let id): GrantRecord(grantee: id, permission: grant.permission.rawValue)
            case .group(let uri): GrantRecord(grantee: uri, permission: grant.permission.rawValue)
            }
        }
    }
}

extension S3Operations {
    /// What the request says about access to the object that it makes; checked before anything is written.
    func newObjectAccess(_ call: S3Call) throws(S3Error) -> ObjectAccess {
        let requested = try RequestedAccessList(call.request.headers, allowed: RequestedAccessList.forObjects)
        var access = ObjectAccess(owner: call.owner)
        let bucketOwner = call.rules.owner
        switch call.rules.ownership {
        case .bucketOwnerEnforced:
            access.owner = bucketOwner
            try Self.checkEnforced(requested, bucketOwner: bucketOwner)
            return access
        case .bucketOwnerPreferred where requested == .canned(.bucketOwnerFullControl): access.owner = bucketOwner
        default: break
        }
        guard let requested else { return access }
        try checkList(requested.policy(owner: access.owner, bucketOwner: bucketOwner), call)
        switch requested {
        case .canned(let list): access.acl = list.rawValue
        case .grants: access.grants = requested.policy(owner: access.owner, bucketOwner: bucketOwner).records
        }
        return access
    }

    /// Without access control lists only what says nothing new may be sent.
    private static func checkEnforced(_ list: RequestedAccessList?, bucketOwner: String) throws(S3Error) {
        switch list {
        case nil, .canned(.bucketOwnerFullControl)?, .grants([Grant(.user(id: bucketOwner), .fullControl)])?: break
        default: throw S3Error(.accessControlListNotSupported)
        }
    }

    /// Throws when a grantee does not exist, or the list would make something public where that is blocked.
    func checkList(_ policy: AccessControlPolicy, _ call: S3Call) throws(S3Error) {
        try checkGrantees(policy)
        if call.rules.block.blockPublicAcls, policy.isPublic { throw S3Error(.accessDenied) }
    }

    func checkGrantees(_ policy: AccessControlPolicy) throws(S3Error) {
        for case .user(let id) in policy.grants.map(\.grantee) where id != policy.owner && !buckets.isUser(id) {
            throw S3Error.invalidArgument("Invalid id", name: "CanonicalUser/ID", value: id)
        }
    }
}
