import S3Protocol
import Wire

extension S3Call {
    /// What may be said about an action of this request, before or after the object is known.
    ///
    /// - Parameter key: another key of the bucket, for requests about several.
    func decision(
        _ action: S3Action, key: [UInt8]? = nil, object: Authorization.Object = .unknown, creates: Bool = false
    ) -> Authorization.Decision {
        Authorization.decide(
            request.identity, action, key: key ?? (request.key == nil ? nil : request.keyBytes), rules: rules,
            object: object, creates: creates
        ) { PolicyContext(request, bucketOwner: rules.owner, now: now) }
    }

    /// Whether the request may also do this, whatever the object is like.
    func allows(_ action: S3Action, key: [UInt8]? = nil) -> Bool { decision(action, key: key) == .allowed }

    /// Throws unless the request may do with this object what it wants to; nil: there is none.
    ///
    /// Who may not list must not learn which keys exist.
    func authorize(_ object: ObjectRecord?) throws(S3Error) {
        guard let action = request.operation.action(ofVersion: request.query.contains("versionId")) else {
            throw S3Error(.accessDenied)
        }
        try authorize(action, object)
    }

    func authorize(_ action: S3Action, _ found: ObjectRecord?) throws(S3Error) {
        // Behind a delete marker there is nothing to see.
        let object = found.flatMap { $0.isDeleteMarker ? nil : $0 }
        if dependsOnObject {
            let known = object.map { $0.access(bucketOwner: rules.owner) } ?? .absent
            let decision = decision(action, object: known)
            if object != nil || decision == .allowed {
                guard decision == .allowed else { throw S3Error(.accessDenied) }
            }
        }
        guard object != nil || decision(.listBucket) == .allowed else { throw S3Error(.accessDenied) }
    }

    /// Rights that the headers of a request need besides that of its operation.
    var furtherActions: [S3Action] {
        let makes: Set<S3Operation> = [.putObject, .copyObject, .createMultipartUpload, .postObject]
        guard makes.contains(request.operation) else { return [] }
        var actions: [S3Action] = []
        let names = request.headers.map { $0.name.lowercased() }
        if names.contains(where: { $0 == "x-amz-acl" || $0.hasPrefix("x-amz-grant-") }) {
            actions.append(.putObjectAcl)
        }
        if names.contains("x-amz-tagging") { actions.append(.putObjectTagging) }
        if names.contains(where: { $0 == "x-amz-object-lock-mode" || $0 == "x-amz-object-lock-retain-until-date" }) {
            actions.append(.putObjectRetention)
        }
        if names.contains("x-amz-object-lock-legal-hold") { actions.append(.putObjectLegalHold) }
        return actions
    }
}

extension ObjectRecord {
    /// What decides about access to the object.
    func access(bucketOwner: String) -> Authorization.Object {
        .present(
            owner: owner, acl: accessControl(bucketOwner: bucketOwner),
            tags: Dictionary(tags.map { ($0.name, $0.value) }) { first, _ in first })
    }

    func accessControl(bucketOwner: String) -> AccessControlPolicy {
        AccessControlPolicy(owner: owner, canned: acl, grants: grants, bucketOwner: bucketOwner)
    }
}

extension S3Call {
    /// The right to read the object that the call names.
    var readAction: S3Action { request.query.contains("versionId") ? .getObjectVersion : .getObject }
}

extension S3Call {
    /// In a bucket whose requesters pay, others than the owner must sign and say that they know.
    var acceptsCosts: Bool {
        guard rules.requesterPays, let user = request.identity.userID else { return !rules.requesterPays }
        return user == rules.owner || request.headers.first(name: "x-amz-request-payer")?.lowercased() == "requester"
    }
}
