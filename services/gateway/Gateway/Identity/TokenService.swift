import Checksums
import ClusterState
import MessageBus
import Model
import Wire

/// Asks a manager to change what concerns identity and accounts.
protocol IdentityChanging: Sendable {
    func revoke(_ request: RevokeTokenRequest, context: MessageContext) async throws
    func changeAccount(_ request: ChangeAccountRequest, context: MessageContext) async throws
}

/// Logins and tokens. Stateless but for caches: any gateway takes over from any other.
final class TokenService: Sendable {
    private let cluster: any ClusterViewing
    private let seal: TokenSeal
    private let passwords: PasswordChecker
    let changes: any IdentityChanging
    /// nil: the only identities are our own.
    let external: ExternalKeystone?
    private let lifetime: Duration
    /// Milliseconds since 1970.
    let clock: @Sendable () -> Int64
    private let refresh: SharedRefresh

    init(
        cluster: any ClusterViewing, master: MasterKey, changes: any IdentityChanging, lifetime: Duration,
        clock: @escaping @Sendable () -> Int64, refresh: SharedRefresh,
        passwords: PasswordChecker = PasswordChecker(), external: ExternalKeystone? = nil
    ) {
        self.cluster = cluster
        self.refresh = refresh
        seal = TokenSeal(master: master)
        self.changes = changes
        self.lifetime = lifetime
        self.clock = clock
        self.passwords = passwords
        self.external = external
    }

    var view: ClusterView { cluster.view }

    // MARK: - Tokens

    /// Who has this token. Throws ``Unauthorized``.
    func authenticate(_ text: String) async throws -> Credentials {
        guard let content = seal.open(text) else { throw Unauthorized() }
        if let credentials = judge(content, cluster.view) { return credentials }
        // A user who was made a moment ago may be unknown here yet.
        guard content.expiresMilliseconds > clock(), await hasRefreshed(),
            let credentials = judge(content, cluster.view)
        else { throw Unauthorized() }
        return credentials
    }

    /// Whether a gateway of this cluster has made the token.
    func isOwn(_ text: String) -> Bool { seal.open(text) != nil }

    private func judge(_ content: TokenContent, _ view: ClusterView) -> Credentials? {
        let now = clock()
        let issued = content.issuedMilliseconds
        guard content.expiresMilliseconds > now, let user = view.user(id: content.user),
            view.revokedTokens[content.revocationID] == nil,
            content.parentRevocationID.map({ view.revokedTokens[$0] == nil }) ?? true,
            issued >= user.createdMilliseconds, issued > user.tokensFromMilliseconds
        else { return nil }
        guard !content.project.isEmpty else {
            return Credentials(user: user, project: nil, roles: [], token: content)
        }
        guard let project = view.projects[content.project], issued >= project.createdMilliseconds else { return nil }
        var roles = Self.roles(of: user, in: project)
        if !content.applicationCredential.isEmpty {
            guard let credential = user.credential(id: content.applicationCredential, now: now) else { return nil }
            roles = roles.filter(credential.roles.contains)
        }
        return roles.isEmpty ? nil : Credentials(user: user, project: project, roles: roles, token: content)
    }

    static func roles(of user: UserRecord, in project: ProjectRecord) -> [String] {
        user.roles.filter { $0.project == project.id }.map(\.role)
    }

    /// A new token. `parent`: the one that it was got with; it lives no longer than that.
    private func issue(
        _ user: UserRecord, _ project: ProjectRecord?, methods: [String], parent: TokenContent? = nil,
        applicationCredential: ApplicationCredential? = nil
    ) throws -> (text: String, Credentials) {
        let now = clock()
        var expires = now + Int64(lifetime / .milliseconds(1))
        if let parent { expires = min(expires, parent.expiresMilliseconds) }
        if let end = applicationCredential?.expiresMilliseconds, end > 0 { expires = min(expires, end) }
        let content = TokenContent(
            id: randomBytes(16), parent: parent.map { $0.parent.isEmpty ? $0.id : $0.parent } ?? [], user: user.id,
            project: project?.id ?? "", methods: methods,
            // The manager's clock may be ahead of ours.
            issuedMilliseconds: max(
                now, user.createdMilliseconds, user.tokensFromMilliseconds + 1, project?.createdMilliseconds ?? 0),
            expiresMilliseconds: expires,
            applicationCredential: applicationCredential?.id ?? "")
        guard let credentials = judge(content, cluster.view) else { throw Unauthorized() }
        return (seal.text(of: content), credentials)
    }

    // MARK: - Logins

    func login(user name: String, password: String, scope: LoginScope) async throws -> (text: String, Credentials) {
        let user = await user(name)
        let stored = user.map { String(decoding: $0.passwordHash, as: UTF8.self) }
        guard try await passwords.matches(password, stored: stored), let user else {
            // Of an unknown user a manager was asked: so it is for a known one, or the time would tell them apart.
            if user != nil { _ = await hasRefreshed() }
            throw Unauthorized()
        }
        return try issue(user, try project(scope, of: user), methods: ["password"])
    }

    func login(token text: String, scope: LoginScope) async throws -> (text: String, Credentials) {
        let credentials = try await authenticate(text)
        // An application credential is good for its project only.
        guard credentials.token.applicationCredential.isEmpty else { throw Unauthorized() }
        let project = try project(scope, of: credentials.user)
        var methods = credentials.token.methods.filter { $0 != "token" }
        methods.append("token")
        return try issue(credentials.user, project, methods: methods, parent: credentials.token)
    }

    /// - Parameters:
    ///   - credential: its id, or, with a user, its name.
    func login(
        applicationCredential credential: String, of name: String?, secret: String
    ) async throws -> (text: String, Credentials) {
        let now = clock()
        var user: UserRecord?
        if let name { user = await self.user(name) } else { user = await owner(ofCredential: credential) }
        let found = user?.applicationCredentials.first { name == nil ? $0.id == credential : $0.name == credential }
        let stored = found.map { String(decoding: $0.secretHash, as: UTF8.self) }
        guard try await passwords.matches(secret, stored: stored), let user, let found,
            user.credential(id: found.id, now: now) != nil, let project = cluster.view.projects[found.project]
        else { throw Unauthorized() }
        return try issue(user, project, methods: ["application_credential"], applicationCredential: found)
    }

    private func project(_ scope: LoginScope, of user: UserRecord) throws -> ProjectRecord? {
        let view = cluster.view
        let project: ProjectRecord?
        switch scope.project {
        case .none: return nil
        case .impossible: throw Unauthorized()
        case .byDefault:
            project = view.projects[user.defaultProject]
            guard let project, !Self.roles(of: user, in: project).isEmpty else { return nil }
        case .id(let id): project = view.projects[id]
        case .name(let name): project = view.project(name: name)
        }
        guard let project, !Self.roles(of: user, in: project).isEmpty else { throw Unauthorized() }
        return project
    }

    private func user(_ name: String) async -> UserRecord? {
        if let user = cluster.view.user(id: name) { return user }
        return await hasRefreshed() ? cluster.view.user(id: name) : nil
    }

    private func owner(ofCredential id: String) async -> UserRecord? {
        func find() -> UserRecord? {
            cluster.view.users.values.first { $0.applicationCredentials.contains { $0.id == id } }
        }
        if let user = find() { return user }
        return await hasRefreshed() ? find() : nil
    }

    // MARK: - Revocation

    /// Returns when the managers know; other gateways do at once or a moment later.
    func revoke(_ token: TokenContent, context: MessageContext) async throws {
        try await changes.revoke(
            RevokeTokenRequest(
                id: token.revocationID, user: token.user, expiresMilliseconds: token.expiresMilliseconds),
            context: context)
        try await cluster.refresh()
    }

    /// Pulls the state for what is not known here. Returns whether it did.
    private func hasRefreshed() async -> Bool { (try? await refresh()) != nil }
}

extension UserRecord {
    /// An application credential that is still good.
    func credential(id: String, now: Int64) -> ApplicationCredential? {
        applicationCredentials.first { $0.id == id && ($0.expiresMilliseconds == 0 || $0.expiresMilliseconds > now) }
    }
}
