import ClusterState
import Wire

/// Who somebody with a good token is, as of now: roles are those of the cluster's state, not those at login.
///
/// Made by ``TokenService`` only.
struct Credentials: Sendable, Equatable {
    var user: UserRecord
    /// nil: the token is unscoped and good for identity only.
    var project: ProjectRecord?
    /// In the project.
    var roles: [String]
    var token: TokenContent
    /// Of a user of another Keystone, whose id is none that people use; nil: it may not stand in lists.
    var userName: String?

    /// Who owns what is made with these; empty: nobody whom the cluster knows, a user of another Keystone.
    var ownerID: String { token.id.isEmpty ? "" : user.id }

    /// May validate and revoke the tokens of others.
    var isIdentityAdministrator: Bool { roles.contains { ["admin", "service", "ResellerAdmin"].contains($0) } }
    /// Owns every account.
    var isReseller: Bool { roles.contains("ResellerAdmin") }
    /// Owns the account of its project.
    var isOperator: Bool { roles.contains { ["admin", "swiftoperator"].contains($0) } }
    /// Reads all of its project's account.
    var isReader: Bool { roles.contains("reader") }
}

/// What a login asks for.
struct LoginScope: Sendable, Equatable {
    enum Project: Sendable, Equatable {
        /// The user's default project, if any.
        case byDefault
        case none
        case id(String)
        case name(String)
        /// Something that nobody can have here: a domain, or the system.
        case impossible
    }

    var project: Project
}

/// Every bad login and every bad token looks like this, whatever was wrong.
struct Unauthorized: Error {}
