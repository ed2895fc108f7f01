import S3Protocol

/// A bucket policy: who may do what to a bucket and its objects, under which conditions.
///
/// Pure: parsed from the bytes that were put, evaluated against one request.
struct BucketPolicy: Sendable, Equatable {
    enum Effect: String, Sendable {
        case allow = "Allow"
        case deny = "Deny"
    }

    /// `Principal` or `NotPrincipal`.
    struct Principals: Sendable, Equatable {
        /// Anybody, even without a signature.
        var everyone = false
        /// Ids of users.
        var users: Set<String> = []
        var negated = false

        func matches(_ user: String?) -> Bool {
            let isNamed = everyone || user.map(users.contains) ?? false
            return isNamed != negated
        }
    }

    struct Statement: Sendable, Equatable {
        var effect: Effect
        var principals: Principals
        var actions: [PolicyPattern]
        var actionsNegated = false
        var resources: [PolicyPattern]
        var resourcesNegated = false
        var conditions: [PolicyCondition]
    }

    /// As AWS's limit.
    static let sizeMax = 20 << 10

    var statements: [Statement]

    // MARK: - Evaluation

    /// What the policy says about a request.
    enum Verdict: Sendable, Equatable {
        case allowed
        case denied
        /// Nothing.
        case silent
        /// That depends on the tags of the object, which are not known yet.
        case unknown
    }

    /// A denial wins over everything; what only may apply, over what allows for certain.
    func evaluate(_ request: PolicyRequest) -> Verdict {
        var verdict = Verdict.silent
        for statement in statements {
            switch (statement.applies(to: request), statement.effect) {
            case (true?, .deny): return .denied
            case (nil, _): verdict = .unknown
            case (true?, .allow): if verdict == .silent { verdict = .allowed }
            case (false?, _): break
            }
        }
        return verdict
    }

    /// Whether the policy lets anybody in, as GetBucketPolicyStatus understands it: an allowing statement for everyone
    /// whose conditions do not tie it to fixed values that name somebody.
    var isPublic: Bool {
        statements.contains { statement in
            let isOpen = statement.principals.everyone || statement.principals.negated
            guard statement.effect == .allow, isOpen else { return false }
            return !statement.conditions.contains(where: \.restrictsRequesters)
        }
    }
}

extension BucketPolicy.Statement {
    /// nil: the conditions cannot be judged yet.
    func applies(to request: PolicyRequest) -> Bool? {
        guard principals.matches(request.user) else { return false }
        let isAction = actions.contains { $0.matches(request.action.utf8, ignoringCase: true) }
        guard isAction != actionsNegated else { return false }
        let isResource = resources.contains { pattern in
            pattern.matches(request.resource) { request.context.first($0) }
        }
        guard isResource != resourcesNegated else { return false }
        var isKnown = true
        for condition in conditions {
            switch condition.holds(in: request.context) {
            case true?: break
            case false?: return false
            case nil: isKnown = false
            }
        }
        return isKnown ? true : nil
    }
}

/// One thing that somebody wants to do, as policies see it.
struct PolicyRequest: Sendable {
    /// nil: anonymous.
    var user: String?
    /// `s3:GetObject`
    var action: String
    /// `arn:aws:s3:::bucket/key`, UTF-8.
    var resource: [UInt8]
    var context: PolicyContext
}
