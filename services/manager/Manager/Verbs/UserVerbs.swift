import ClusterState
import Model
import Wire

/// Users: an id, a role, and one pair of S3 keys.
enum UserVerbs {
    static func create(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        // As long as LeoFS's: 20 and 40 hex digits.
        let access = hexDigits(of: call.context.random(10))
        let secret = hexDigits(of: call.context.random(20))
        return try put(call.argument(0), access: access, secret: secret, replacing: false, call, &edit) {
            user, edit throws(VerbError) in
            if let hash = call.option("password") { user.passwordHash = try RoleVerbs.passwordHash(hash) }
            guard let project = call.option("project") else { return }
            try RoleVerbs.assign(call.option("role") ?? "swiftoperator", in: project, to: &user, call, &edit)
        }
    }

    static func importUser(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let (access, secret) = (call.argument(1), call.argument(2))
        guard (3...128).contains(access.utf8.count), access.utf8.allSatisfy(isKeyByte) else {
            throw VerbError(.invalidArgument, "An access key id has 3 to 128 letters, digits and . _ - @ + =")
        }
        guard (8...128).contains(secret.utf8.count) else {
            throw VerbError(.invalidArgument, "A secret access key has 8 to 128 characters")
        }
        return try put(
            call.argument(0), access: access, secret: secret, replacing: call.arguments.contains("force"), call, &edit)
    }

    private static func put(
        _ id: String, access: String, secret: String, replacing: Bool, _ call: VerbCall, _ edit: inout StateEdit,
        _ complete: (inout UserRecord, inout StateEdit) throws(VerbError) -> Void = { _, _ in }
    ) throws(VerbError) -> CreatedUserReport {
        guard NodeName(id).isValid else {
            throw VerbError(.invalidArgument, "A user id has 1 to 64 letters, digits and . _ - @")
        }
        let view = call.state.view
        if view.user(id: id) != nil, !replacing { throw VerbError(.conflict, "Already exists") }
        if let owner = view.user(accessKey: access), owner.id != id {
            throw VerbError(.conflict, "The access key id belongs to user \(owner.id)")
        }
        // Of a user who exists only the keys are replaced.
        var user = view.user(id: id) ?? UserRecord(id: id, role: 1, createdMilliseconds: call.context.now)
        user.accessKeyId = access
        user.sealedSecret = call.context.masterKey.seal(Array(secret.utf8))
        try complete(&user, &edit)
        edit.put(ClusterKeys.user(id), user)
        return CreatedUserReport(userId: id, accessKeyId: access, secretAccessKey: secret)
    }

    static func delete(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let user = try existing(call)
        let owned = call.state.view.buckets(owner: user.id)
        guard owned.isEmpty else {
            throw VerbError(
                .conflict,
                "The user owns \(owned.count) bucket(s), the first is \(owned[0].name): chown-bucket or delete-bucket first"
            )
        }
        edit.delete(ClusterKeys.user(user.id))
        return DoneReport()
    }

    static func updateRole(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var user = try existing(call)
        guard let role = UInt32(call.argument(1)), role == 1 || role == 9 else {
            throw VerbError(.invalidArgument, "The role is 1 (general) or 9 (admin)")
        }
        user.role = role
        edit.put(ClusterKeys.user(user.id), user)
        return DoneReport()
    }

    static func list(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        UsersReport(
            users: call.state.view.users.values.sorted { $0.id < $1.id }.map {
                UsersReport.User(
                    userId: $0.id, roleId: Int($0.role), accessKeyId: $0.accessKeyId,
                    createdAt: timeText(milliseconds: $0.createdMilliseconds))
            })
    }

    static func existing(_ call: VerbCall) throws(VerbError) -> UserRecord {
        guard let user = call.state.view.user(id: call.argument(0)) else {
            throw VerbError(.notFound, "User not found")
        }
        return user
    }

    private static func isKeyByte(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
            UInt8(ascii: "0")...UInt8(ascii: "9"):
            true
        default: Array("._-@+=".utf8).contains(byte)
        }
    }
}
