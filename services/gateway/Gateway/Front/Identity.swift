import Wire

/// Who makes a request. Made by the ``Authenticator`` only: a handler cannot be called without one.
public enum Identity: Sendable, Equatable {
    /// The request carries no credentials.
    case anonymous
    case user(UserRecord)

    /// The user's id; nil for an anonymous request.
    public var userID: String? {
        switch self {
        case .anonymous: nil
        case .user(let user): user.id
        }
    }

    /// The user has the role of an administrator.
    public var isAdministrator: Bool {
        switch self {
        case .anonymous: false
        case .user(let user): user.role == 9
        }
    }
}
