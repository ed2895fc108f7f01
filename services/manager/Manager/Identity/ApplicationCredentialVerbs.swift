import ClusterState
import Model
import Wire

/// Application credentials: secrets of a user for programs, each for one project.
enum ApplicationCredentialVerbs {
    private static let perUserMax = 100

    static func create(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var user = try UserVerbs.existing(call)
        let project = try ProjectVerbs.existing(call.argument(1), call.state.view)
        let name = call.argument(2)
        guard NodeName(name).isValid else {
            throw VerbError(.invalidArgument, "A credential's name has 1 to 64 letters, digits and . _ - @")
        }
        guard !user.applicationCredentials.contains(where: { $0.name == name }) else {
            throw VerbError(.conflict, "Already exists")
        }
        guard user.applicationCredentials.count < perUserMax else {
            throw VerbError(.conflict, "A user has at most \(perUserMax) application credentials")
        }
        let held = user.roles.filter { $0.project == project.id }.map(\.role)
        let wanted = call.option("roles")?.split(separator: ",").map(String.init) ?? held
        guard !wanted.isEmpty, wanted.allSatisfy(held.contains) else {
            throw VerbError(.conflict, "The user does not have these roles in the project")
        }
        let credential = ApplicationCredential(
            id: hexDigits(of: call.context.random(16)), name: name,
            secretHash: try RoleVerbs.passwordHash(call.argument(3)), project: project.id, roles: wanted,
            createdMilliseconds: call.context.now, expiresMilliseconds: try expiry(call))
        user.applicationCredentials.append(credential)
        edit.put(ClusterKeys.user(user.id), user)
        return ApplicationCredentialReport(credential, user, project)
    }

    static func delete(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        var user = try UserVerbs.existing(call)
        let name = call.argument(1)
        guard user.applicationCredentials.contains(where: { $0.name == name || $0.id == name }) else {
            throw VerbError(.notFound, "Application credential not found")
        }
        user.applicationCredentials.removeAll { $0.name == name || $0.id == name }
        edit.put(ClusterKeys.user(user.id), user)
        return DoneReport()
    }

    static func list(_ call: VerbCall, _ edit: inout StateEdit) throws(VerbError) -> any Encodable & Sendable {
        let user = try UserVerbs.existing(call)
        return ApplicationCredentialsReport(
            applicationCredentials: user.applicationCredentials.map {
                ApplicationCredentialReport($0, user, call.state.view.projects[$0.project] ?? ProjectRecord())
            })
    }

    private static func expiry(_ call: VerbCall) throws(VerbError) -> Int64 {
        guard let text = call.option("hours") else { return 0 }
        guard let hours = Int64(text), (1...87_600).contains(hours) else {
            throw VerbError(.invalidArgument, "hours is from 1 to 87600")
        }
        return call.context.now + hours * 3_600_000
    }
}

extension ApplicationCredentialReport {
    init(_ credential: ApplicationCredential, _ user: UserRecord, _ project: ProjectRecord) {
        self.init(
            id: credential.id, name: credential.name, userId: user.id, project: project.name,
            roles: credential.roles, expiresAt: timeText(milliseconds: credential.expiresMilliseconds))
    }
}
