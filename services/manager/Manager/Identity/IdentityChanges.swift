import ClusterState
import Model
import Wire

/// What gateways ask for on behalf of clients: tokens revoked, headers of accounts and containers set.
enum IdentityChanges {
    /// Beyond this all tokens of the user are revoked instead: too many is the safe side.
    static let revokedMax = 20_000
    /// Of those that have ended by themselves, with each revocation.
    private static let forgottenAtOnce = 64

    static func revoke(
        _ request: RevokeTokenRequest, _ state: ManagerState, _ edit: inout StateEdit, _ context: VerbContext
    ) throws(VerbError) {
        guard bytes(ofHex: request.id)?.count == 16 else { throw VerbError(.invalidArgument, "the id of a token") }
        let known = state.view.revokedTokens
        let ended = known.filter { $0.value.expiresMilliseconds <= context.now }.keys.sorted()
        for id in ended.prefix(forgottenAtOnce) { edit.delete(ClusterKeys.revokedToken(id)) }
        guard request.expiresMilliseconds > context.now, known[request.id] == nil else { return }
        if known.count < revokedMax {
            edit.put(
                ClusterKeys.revokedToken(request.id),
                RevokedToken(expiresMilliseconds: request.expiresMilliseconds))
        } else if var user = state.view.user(id: request.user) {
            user.tokensFromMilliseconds = context.now
            edit.put(ClusterKeys.user(user.id), user)
        }
    }

    static func changeAccount(
        _ request: ChangeAccountRequest, _ state: ManagerState, _ edit: inout StateEdit, _ context: VerbContext
    ) throws(VerbError) {
        var project = try project(request, state.view, context)
        let headers = try merged(project.headers, request.headers)
        guard headers != project.headers || state.view.projects[project.id] == nil else { return }
        project.headers = headers
        edit.put(ClusterKeys.project(project.id), project)
    }

    /// A project that another Keystone has told is made when its account is first asked for. Its name is its id when another
    /// project has the name already.
    private static func project(
        _ request: ChangeAccountRequest, _ view: ClusterView, _ context: VerbContext
    ) throws(VerbError) -> ProjectRecord {
        if let present = view.projects[request.project] { return present }
        guard !request.name.isEmpty else { throw VerbError(.notFound, "Project not found") }
        guard ProjectVerbs.isValidID(request.project), request.name.utf8.count <= 256 else {
            throw VerbError(.invalidArgument, "A project's id has 1 to 64 letters, digits, _ and -")
        }
        let isFree = view.project(name: request.name) == nil
        return ProjectRecord(
            id: request.project, name: isFree ? request.name : request.project,
            description: "of another Keystone", createdMilliseconds: context.now)
    }

    /// All headers of an account or container, names and values.
    static let headerBytesMax = 16 << 10
    static let headersMax = 128

    /// Sets those that have a value, removes the others.
    static func merged(_ present: [SwiftHeader], _ changes: [SwiftHeader]) throws(VerbError) -> [SwiftHeader] {
        var values = Dictionary(present.map { ($0.name, $0.value) }) { first, _ in first }
        for change in changes { values[change.name] = change.value.isEmpty ? nil : change.value }
        let size = values.reduce(0) { $0 + $1.key.utf8.count + $1.value.utf8.count }
        guard values.count <= headersMax, size <= headerBytesMax else {
            throw VerbError(.tooLarge, "too many headers, or too large ones")
        }
        return values.sorted { $0.key < $1.key }.map { SwiftHeader(name: $0.key, value: $0.value) }
    }
}
