import Model

/// The canned access control lists that a bucket or object may have.
public enum CannedACL: String, Sendable, CaseIterable {
    case `private` = "private"
    case publicRead = "public-read"
    case publicReadWrite = "public-read-write"
    case authenticatedRead = "authenticated-read"
    /// Only for objects; the owner of bucket and object are the same here.
    case bucketOwnerRead = "bucket-owner-read"
    case bucketOwnerFullControl = "bucket-owner-full-control"

    public var anyoneReads: Bool { self == .publicRead || self == .publicReadWrite }
    public var anyoneWrites: Bool { self == .publicReadWrite }
    /// Everybody who has signed the request.
    public var usersRead: Bool { anyoneReads || self == .authenticatedRead }
}

/// One line of an access control list.
public struct Grant: Sendable, Hashable {
    public enum Grantee: Sendable, Hashable {
        case user(id: String)
        case group(uri: String)

        public static let everyone = Grantee.group(uri: "http://acs.amazonaws.com/groups/global/AllUsers")
        public static let authenticated = Grantee.group(
            uri: "http://acs.amazonaws.com/groups/global/AuthenticatedUsers")
    }

    public enum Permission: String, Sendable, Hashable {
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
    public var owner: String
    public var grants: [Grant]

    /// What a canned list means.
    public init(owner: String, canned: CannedACL) {
        self.owner = owner
        grants = [Grant(.user(id: owner), .fullControl)]
        if canned.anyoneReads { grants.append(Grant(.everyone, .read)) }
        if canned.anyoneWrites { grants.append(Grant(.everyone, .write)) }
        if canned == .authenticatedRead { grants.append(Grant(.authenticated, .read)) }
    }

    public init(parsing bytes: [UInt8]) throws(S3Error) {
        let root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax)
        guard root.name == "AccessControlPolicy", let list = root.child("AccessControlList") else {
            throw S3Error(.malformedACL)
        }
        owner = root.child("Owner")?.value("ID") ?? ""
        grants = []
        for element in list.children("Grant") { grants.append(try Self.grant(element)) }
    }

    private static func grant(_ element: XMLNode) throws(S3Error) -> Grant {
        guard let permission = element.value("Permission").flatMap(Grant.Permission.init(rawValue:)),
            let grantee = element.child("Grantee")
        else { throw S3Error(.malformedACL) }
        if let id = grantee.value("ID") { return Grant(.user(id: id), permission) }
        if let uri = grantee.value("URI") { return Grant(.group(uri: uri), permission) }
        if grantee.value("EmailAddress") != nil { throw S3Error(.notImplemented) }
        throw S3Error(.malformedACL)
    }

    /// The canned list with exactly these grants; the owner's own may be left out. nil: there is none.
    public func canned(owner: String) -> CannedACL? {
        guard self.owner.isEmpty || self.owner == owner else { return nil }
        let wanted = Set(grants).union([Grant(.user(id: owner), .fullControl)])
        return CannedACL.allCases.first { Set(AccessControlPolicy(owner: owner, canned: $0).grants) == wanted }
    }

    /// The body of GetBucketAcl and GetObjectAcl.
    public func xml() -> [UInt8] {
        var writer = XMLWriter()
        writer.element("AccessControlPolicy", namespace: XMLWriter.s3Namespace) { policy in
            policy.owner(owner)
            policy.element("AccessControlList") { list in
                for grant in grants { Self.write(grant, to: &list) }
            }
        }
        return writer.bytes
    }

    private static func write(_ grant: Grant, to list: inout XMLWriter) {
        let type: String
        switch grant.grantee {
        case .user: type = "CanonicalUser"
        case .group: type = "Group"
        }
        list.element("Grant") { element in
            element.element(
                "Grantee",
                attributes: [("xmlns:xsi", XMLWriter.schemaInstanceNamespace), ("xsi:type", type)]
            ) { grantee in
                switch grant.grantee {
                case .user(let id):
                    grantee.element("ID", id)
                    grantee.element("DisplayName", id)
                case .group(let uri): grantee.element("URI", uri)
                }
            }
            element.element("Permission", grant.permission.rawValue)
        }
    }
}

extension XMLWriter {
    /// `<Owner>` or another element with a user in it.
    public mutating func owner(_ id: String, as name: StaticString = "Owner") {
        element(name) { owner in
            owner.element("ID", id)
            owner.element("DisplayName", id)
        }
    }
}
