import S3Protocol

extension BucketPolicy {
    /// - Parameters:
    ///   - bucket: whose policy it is: resources must be it or in it.
    ///   - isUser: whether a user with this id exists: a principal must.
    ///
    /// Throws `MalformedPolicy` with the sentence that AWS uses.
    init(
        parsing bytes: [UInt8], bucket: String, isUser: @escaping (String) -> Bool
    ) throws(S3Error) {
        guard bytes.count <= Self.sizeMax else { throw .policy("Policy exceeds the maximum allowed document size.") }
        guard let document = PolicyJSON.object(parsing: bytes) else {
            throw .policy("Policies must be valid JSON and the first byte must be '{'")
        }
        for name in document.keys where !["Version", "Id", "Statement"].contains(name) {
            throw .policy("Unknown field \(name)")
        }
        let version = document["Version"] ?? .text("2008-10-17")
        guard version == .text("2012-10-17") || version == .text("2008-10-17") else {
            throw .policy("The policy must contain a valid version string")
        }
        let parser = StatementParser(
            bucket: bucket, hasVariables: version == .text("2012-10-17"), isUser: isUser)
        var statements: [Statement] = []
        switch document["Statement"] {
        case .object(let object)?: statements = [try parser.statement(object)]
        case .list(let list)? where !list.isEmpty:
            for element in list {
                guard case .object(let object) = element else { throw .policy("Invalid policy syntax.") }
                statements.append(try parser.statement(object))
            }
        case nil: throw .policy("Missing required field Statement")
        default: throw .policy("Invalid policy syntax.")
        }
        self.statements = statements
    }
}

extension S3Error {
    fileprivate static func policy(_ message: String) -> S3Error { S3Error(.malformedPolicy, message) }
}

/// Reads the statements of one policy.
private struct StatementParser {
    let bucket: String
    let hasVariables: Bool
    let isUser: (String) -> Bool

    private static let fields: Set = [
        "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource", "NotResource", "Condition",
    ]

    func statement(_ object: [String: PolicyJSON]) throws(S3Error) -> BucketPolicy.Statement {
        for name in object.keys where !Self.fields.contains(name) { throw .policy("Unknown field \(name)") }
        guard let effectField = object["Effect"] else { throw .policy("Missing required field Effect") }
        guard case .text(let text) = effectField, let effect = BucketPolicy.Effect(rawValue: text) else {
            throw .policy("Invalid effect: \(effectField.texts?.first ?? "")")
        }
        let (principalField, noPrincipal) = try one(of: "Principal", object)
        let (actionField, noAction) = try one(of: "Action", object)
        let (resourceField, noResource) = try one(of: "Resource", object)
        var principals = try self.principals(principalField)
        principals.negated = noPrincipal
        let actions = try self.actions(actionField)
        let resources = try self.resources(resourceField)
        if !noAction, !noResource { try checkMatch(actionField, resources) }
        return BucketPolicy.Statement(
            effect: effect, principals: principals, actions: actions, actionsNegated: noAction, resources: resources,
            resourcesNegated: noResource, conditions: try conditions(object["Condition"]))
    }

    /// The field or its negation; exactly one of them is there.
    private func one(of name: String, _ object: [String: PolicyJSON]) throws(S3Error) -> (PolicyJSON, negated: Bool) {
        switch (object[name], object["Not" + name]) {
        case (let field?, nil): return (field, false)
        case (nil, let field?): return (field, true)
        case (nil, nil): throw .policy("Missing required field \(name)")
        default: throw .policy("Statement/policy already has instance of \(name)")
        }
    }

    // MARK: - Principals

    private func principals(_ field: PolicyJSON) throws(S3Error) -> BucketPolicy.Principals {
        var principals = BucketPolicy.Principals()
        if field == .text("*") {
            principals.everyone = true
            return principals
        }
        guard case .object(let object) = field, !object.isEmpty else { throw .policy("Invalid principal in policy") }
        for (kind, value) in object {
            guard let names = value.texts, !names.isEmpty, ["AWS", "CanonicalUser"].contains(kind) else {
                throw .policy("Invalid principal in policy")
            }
            for name in names {
                if name == "*", kind == "AWS" {
                    principals.everyone = true
                } else {
                    principals.users.insert(try user(name, isARN: kind == "AWS"))
                }
            }
        }
        return principals
    }

    /// A user's id is canonical id, account and name of the user at once: `arn:aws:iam::ACCOUNT:root`,
    /// `arn:aws:iam::ANY:user/ID` and the bare id name it.
    private func user(_ name: String, isARN: Bool) throws(S3Error) -> String {
        var id = name
        if isARN, name.hasPrefix("arn:") {
            let parts = name.split(separator: ":", maxSplits: 5, omittingEmptySubsequences: false)
            guard parts.count == 6, parts[2] == "iam", parts[3].isEmpty else {
                throw .policy("Invalid principal in policy")
            }
            if parts[5] == "root" {
                id = String(parts[4])
            } else {
                guard parts[5].hasPrefix("user/"), let last = parts[5].split(separator: "/").last else {
                    throw .policy("Invalid principal in policy")
                }
                id = String(last)
            }
        }
        guard isUser(id) else { throw .policy("Invalid principal in policy") }
        return id
    }

    // MARK: - Actions and resources

    private func actions(_ field: PolicyJSON) throws(S3Error) -> [PolicyPattern] {
        guard let names = field.texts, !names.isEmpty else { throw .policy("Policy has invalid action") }
        var patterns: [PolicyPattern] = []
        for name in names {
            guard let pattern = PolicyPattern(name, hasVariables: false),
                S3Action.allNames.contains(where: { pattern.matches($0.utf8, ignoringCase: true) })
            else { throw .policy("Policy has invalid action") }
            patterns.append(pattern)
        }
        return patterns
    }

    private func resources(_ field: PolicyJSON) throws(S3Error) -> [PolicyPattern] {
        guard let names = field.texts, !names.isEmpty else { throw .policy("Policy has invalid resource") }
        var patterns: [PolicyPattern] = []
        for name in names {
            guard name == "*" || namesBucket(name), let pattern = PolicyPattern(name, hasVariables: hasVariables) else {
                throw .policy("Policy has invalid resource")
            }
            patterns.append(pattern)
        }
        return patterns
    }

    /// The bucket itself, or something in it; wildcards may stand for parts of its name.
    private func namesBucket(_ resource: String) -> Bool {
        guard resource.hasPrefix("arn:aws:s3:::") else { return false }
        let path = resource.dropFirst("arn:aws:s3:::".count)
        let name = path.prefix { $0 != "/" }
        return PolicyPattern(String(name), hasVariables: hasVariables)?.matches(bucket.utf8) { _ in "" } ?? false
    }

    /// At least one of the actions must be about one of the resources: bucket actions about the bucket, object actions
    /// about objects.
    private func checkMatch(_ field: PolicyJSON, _ resources: [PolicyPattern]) throws(S3Error) {
        let hasBucket = resources.contains { !$0.text.contains("/") }
        let hasObjects = resources.contains { $0.text.contains("/") || $0.text.contains("*") }
        for name in field.texts ?? [] {
            guard let pattern = PolicyPattern(name, hasVariables: false) else { continue }
            let matched = S3Action.all.filter { pattern.matches($0.name.utf8, ignoringCase: true) }
            let fits = matched.contains { $0.isAboutObjects ? hasObjects : hasBucket }
            guard fits else { throw .policy("Action does not apply to any resource(s) in statement") }
        }
    }

    // MARK: - Conditions

    private func conditions(_ field: PolicyJSON?) throws(S3Error) -> [PolicyCondition] {
        guard let field else { return [] }
        guard case .object(let blocks) = field else { throw .policy("Invalid Condition") }
        var conditions: [PolicyCondition] = []
        for (name, block) in blocks.sorted(by: { $0.key < $1.key }) {
            guard case .object(let lines) = block else { throw .policy("Invalid Condition") }
            for (key, value) in lines.sorted(by: { $0.key < $1.key }) {
                conditions.append(try condition(name, key, value))
            }
        }
        return conditions
    }

    private func condition(_ name: String, _ key: String, _ value: PolicyJSON) throws(S3Error) -> PolicyCondition {
        guard PolicyConditionKeys.contains(key) else { throw .policy("Policy has an invalid condition key") }
        guard let texts = value.texts else { throw .policy("Invalid Condition") }
        var patterns: [PolicyPattern] = []
        for text in texts {
            guard let pattern = PolicyPattern(text, hasVariables: hasVariables) else {
                throw .policy("Invalid Condition")
            }
            patterns.append(pattern)
        }
        guard let condition = PolicyCondition(operator: name, key: key, values: patterns) else {
            throw .policy("Invalid Condition type : \(name)")
        }
        guard condition.hasValidValues else { throw .policy("Invalid Condition value") }
        return condition
    }
}

/// The condition keys that AWS knows for S3. Those about what does not exist here are never in a request.
private enum PolicyConditionKeys {
    private static let prefixes = [
        "s3:existingobjecttag/", "s3:requestobjecttag/", "aws:requesttag/", "aws:resourcetag/", "aws:principaltag/",
    ]

    private static let s3: Set<String> = [
        "accessgrantsinstancearn", "accesspointnetworkorigin", "authtype", "dataaccesspointaccount",
        "dataaccesspointarn", "delimiter", "if-match", "if-none-match", "locationconstraint", "max-keys",
        "object-lock-legal-hold", "object-lock-mode", "object-lock-remaining-retention-days",
        "object-lock-retain-until-date", "objectcreationoperation", "prefix", "requestobjecttagkeys", "resourceaccount",
        "signatureage", "signatureversion", "tlsversion", "versionid", "x-amz-acl", "x-amz-content-sha256",
        "x-amz-copy-source", "x-amz-grant-full-control", "x-amz-grant-read", "x-amz-grant-read-acp",
        "x-amz-grant-write", "x-amz-grant-write-acp", "x-amz-metadata-directive", "x-amz-object-ownership",
        "x-amz-server-side-encryption", "x-amz-server-side-encryption-aws-kms-key-id",
        "x-amz-server-side-encryption-customer-algorithm", "x-amz-storage-class", "x-amz-website-redirect-location",
    ]

    static func contains(_ key: String) -> Bool {
        let key = key.lowercased()
        if let prefix = prefixes.first(where: key.hasPrefix) { return key.count > prefix.count }
        if key.hasPrefix("aws:") { return key.count > 4 }
        return key.hasPrefix("s3:") && s3.contains(String(key.dropFirst(3)))
    }
}
