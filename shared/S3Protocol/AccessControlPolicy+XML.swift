import Model

extension AccessControlPolicy {
    public init(parsing bytes: [UInt8]) throws(S3Error) {
        let root: XMLNode
        do { root = try XMLReader.parse(bytes, sizeMax: Limits.xmlBodySizeMax) } catch { throw S3Error(.malformedACL) }
        guard root.name == "AccessControlPolicy", let list = root.child("AccessControlList"),
            let owner = root.child("Owner")?.value("ID")
        else { throw S3Error(.malformedACL) }
        let elements = list.children("Grant")
        guard elements.count == list.children.count, elements.count <= Self.grantsMax else {
            throw S3Error(.malformedACL)
        }
        var grants: [Grant] = []
        for element in elements { grants.append(try Self.grant(element)) }
        self.init(owner: owner, grants: grants)
    }

    private static func grant(_ element: XMLNode) throws(S3Error) -> Grant {
        guard let permission = element.value("Permission").flatMap(Grant.Permission.init(rawValue:)),
            let grantee = element.child("Grantee")
        else { throw S3Error(.malformedACL) }
        if let id = grantee.value("ID") { return Grant(.user(id: id), permission) }
        if let uri = grantee.value("URI") { return Grant(try group(uri), permission) }
        if grantee.value("EmailAddress") != nil { throw S3Error(.unresolvableGrantByEmailAddress) }
        throw S3Error(.malformedACL)
    }

    /// One of the predefined groups.
    fileprivate static func group(_ uri: String) throws(S3Error) -> Grant.Grantee {
        guard
            let known = [Grant.Grantee.everyone, .authenticated, .logDelivery].first(where: { $0 == .group(uri: uri) })
        else { throw S3Error.invalidArgument("Invalid group uri", name: "uri", value: uri) }
        return known
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

extension Grant {
    /// The grantees of a header such as `x-amz-grant-read: id="…", uri="…"`.
    public static func grants(header: String, _ permission: Permission) throws(S3Error) -> [Grant] {
        var grants: [Grant] = []
        for item in header.split(separator: ",") {
            let parts = item.split(separator: "=", maxSplits: 1).map { String($0).trimmed }
            guard parts.count == 2 else {
                throw S3Error.invalidArgument("Argument format not recognized", name: "grant", value: header)
            }
            let value =
                parts[1].hasPrefix("\"") && parts[1].hasSuffix("\"") && parts[1].count >= 2
                ? String(parts[1].dropFirst().dropLast()) : parts[1]
            switch parts[0].lowercased() {
            case "id": grants.append(Grant(.user(id: value), permission))
            case "uri": grants.append(Grant(try AccessControlPolicy.group(value), permission))
            case "emailaddress": throw S3Error(.unresolvableGrantByEmailAddress)
            default: throw S3Error.invalidArgument("Argument format not recognized", name: "grant", value: header)
            }
        }
        return grants
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
