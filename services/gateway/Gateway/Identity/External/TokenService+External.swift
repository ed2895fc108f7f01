import ClusterState
import MessageBus
import Model
import Wire

/// Tokens of another Keystone, beside those of our own.
extension TokenService {
    /// Who has this token, ours or the other Keystone's. Throws ``Unauthorized``, or ``ExternalKeystone/Unavailable``.
    func identify(_ text: String) async throws -> Credentials {
        guard let external, !isOwn(text) else { return try await authenticate(text) }
        guard let token = try await external.token(text) else { throw Unauthorized() }
        return try await credentials(of: token)
    }

    private func credentials(of token: KeystoneToken) async throws -> Credentials {
        var credentials = Credentials(
            user: UserRecord(id: token.user.id), project: nil, roles: token.roles,
            token: TokenContent(
                user: token.user.id, project: token.project?.id ?? "", expiresMilliseconds: token.expires))
        // Names are told apart by their domains only; lists name those of the default one.
        if token.user.domain == "default" { credentials.userName = token.user.name }
        guard let project = token.project else {
            credentials.roles = []
            return credentials
        }
        if credentials.isOperator || credentials.isReseller {
            credentials.project = try await account(ofProject: project.id, name: project.name)
        } else {
            credentials.project = view.projects[project.id] ?? ProjectRecord(id: project.id, name: project.id)
        }
        return credentials
    }

    /// The record of a project that this cluster may not have heard of: made at its first use.
    func account(ofProject id: String, name: String) async throws -> ProjectRecord {
        if let known = view.projects[id] { return known }
        try await changes.changeAccount(ChangeAccountRequest(project: id, name: name), context: MessageContext())
        guard let made = view.projects[id] else { throw ExternalKeystone.Unavailable(description: "no account yet") }
        return made
    }

    // MARK: - Service accounts

    /// The caller in an account that only services may touch, on behalf of its project (composite tokens): one token of a user
    /// of the project, and one of a service.
    func composite(
        _ caller: SwiftCaller, serviceToken: String?, servicePrefix: String
    ) async throws -> SwiftCaller {
        guard case .user(var credentials) = caller else { return caller }
        let project = credentials.project
        (credentials.project, credentials.roles) = (nil, [])
        guard let serviceToken, let project else { return .user(credentials) }
        guard try await identify(serviceToken).roles.contains("service"), let whole = caller.credentials,
            whole.isOperator
        else { return .user(credentials) }
        credentials.roles = whole.roles.filter { $0 != "ResellerAdmin" }
        credentials.project = try await account(
            ofProject: servicePrefix + project.id, name: servicePrefix + project.name)
        return .user(credentials)
    }
}
