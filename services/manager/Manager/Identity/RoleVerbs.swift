import Checksums
import ClusterState
import Model
import Wire

/// What users may log in with, and as what.
enum RoleVerbs {
    static func add(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var user = try UserVerbs.existing(call)
        try assign(call.argument(2), in: call.argument(1), to: &user, call, &edit)
        edit.put(ClusterKeys.user(user.id), user)
        return DoneReport()
    }

    /// What an application credential has of it goes with it: see `Credentials` at the gateways.
    static func remove(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var user = try UserVerbs.existing(call)
        let project = try ProjectVerbs.existing(call.argument(1), call.state.view)
        let assignment = RoleAssignment(project: project.id, role: call.argument(2))
        guard user.roles.contains(assignment) else {
            throw VerbError(.notFound, "The user does not have this role in the project")
        }
        user.roles.removeAll { $0 == assignment }
        if !user.roles.contains(where: { $0.project == project.id }) { user.leave(project.id) }
        edit.put(ClusterKeys.user(user.id), user)
        return DoneReport()
    }

    static func list(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let view = call.state.view
        let users = call.arguments.isEmpty ? view.users.values.sorted { $0.id < $1.id } : [try UserVerbs.existing(call)]
        return RolesReport(
            roles: users.flatMap { user in
                user.roles.map { assignment in
                    RolesReport.Role(
                        userId: user.id, project: view.projects[assignment.project]?.name ?? assignment.project,
                        role: assignment.role, isDefault: assignment.project == user.defaultProject)
                }
            })
    }

    /// The first project of a user is the one that a login without a project is about.
    static func assign(
        _ role: String, in name: String, to user: inout UserRecord, _ call: VerbCall, _ edit: inout StateEdit
    ) throws(VerbError) {
        let project = try ProjectVerbs.existing(name, call.state.view)
        guard NodeName(role).isValid else {
            throw VerbError(.invalidArgument, "A role's name has 1 to 64 letters, digits and . _ - @")
        }
        let assignment = RoleAssignment(project: project.id, role: role)
        guard user.roles.count < rolesMax else { throw VerbError(.conflict, "A user has at most \(rolesMax) roles") }
        if !user.roles.contains(assignment) { user.roles.append(assignment) }
        if user.defaultProject.isEmpty { user.defaultProject = project.id }
        edit.expectUnchanged(ClusterKeys.project(project.id))
    }

    private static let rolesMax = 1_000

    // MARK: - Passwords and tokens

    /// Takes the hash: the password itself never leaves the command line tool.
    static func updatePassword(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError)
        -> any Encodable & Sendable
    {
        var user = try UserVerbs.existing(call)
        user.passwordHash = try passwordHash(call.argument(1))
        user.tokensFromMilliseconds = call.context.now
        edit.put(ClusterKeys.user(user.id), user)
        return DoneReport()
    }

    static func revokeTokens(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError)
        -> any Encodable & Sendable
    {
        var user = try UserVerbs.existing(call)
        user.tokensFromMilliseconds = call.context.now
        edit.put(ClusterKeys.user(user.id), user)
        return DoneReport()
    }

    static func passwordHash(_ text: String) throws(VerbError) -> [UInt8] {
        guard PasswordHash(text) != nil else { throw VerbError(.invalidArgument, "This is no hash of a password") }
        return Array(text.utf8)
    }
}
