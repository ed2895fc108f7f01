import S3Protocol
import Wire

/// Who makes a request to the Swift front.
enum SwiftCaller: Sendable {
    case anonymous
    case user(Credentials)
    /// Whoever has a signed address.
    case bearer(TemporaryGrant)

    var credentials: Credentials? {
        guard case .user(let credentials) = self else { return nil }
        return credentials
    }
}

/// The one place of the Swift front that decides who may do what.
enum SwiftAuthorization {
    enum Decision: Sendable, Equatable {
        case allowed
        /// And sees keys, lists and quotas.
        case allowedAsOwner
        /// 401: somebody else may.
        case unauthorized
        /// 403.
        case forbidden

        var isAllowed: Bool { self == .allowed || self == .allowedAsOwner }
    }

    /// - Parameters:
    ///   - project: whose account it is; nil: nobody's.
    ///   - container: nil when there is none of this name.
    ///   - referer: the request's header.
    static func decide(
        _ permission: SwiftPermission, _ caller: SwiftCaller, project: ProjectRecord?, container: BucketRecord?,
        referer: String?
    ) -> Decision {
        guard permission != .none else { return .allowed }
        let read = AccessList(container?.headers["x-container-read"])
        switch caller {
        case .anonymous:
            return admitsReferrer(read, permission, referer) ? .allowed : .unauthorized
        case .bearer(let grant):
            let isAllowed = grant.allows(permission, project: project?.id, container: container?.containerName)
            return isAllowed ? .allowed : .unauthorized
        case .user(let credentials):
            if credentials.isReseller { return .allowedAsOwner }
            guard let project, permission != .manageAccount else { return .forbidden }
            if let decision = byAccount(permission, credentials, project) { return decision }
            let write = AccessList(container?.headers["x-container-write"])
            let isAdmitted =
                switch permission {
                case .readContainer, .readObject:
                    read.admits(credentials) || admitsReferrer(read, permission, referer)
                case .writeObject: write.admits(credentials)
                case .none, .readAccount, .changeAccount, .manageAccount, .changeContainer: false
                }
            return isAdmitted ? .allowed : .forbidden
        }
    }

    /// What somebody may do in the whole account; nil: nothing.
    private static func byAccount(
        _ permission: SwiftPermission, _ credentials: Credentials, _ project: ProjectRecord
    ) -> Decision? {
        let isOwn = credentials.project?.id == project.id
        if isOwn, credentials.isOperator { return .allowedAsOwner }
        let list = project.headers["x-account-access-control"].flatMap(AccountAccessList.init)
        if let list, AccountAccessList.admits(list.admin, credentials) { return .allowedAsOwner }
        switch permission {
        case .readAccount, .readContainer, .readObject:
            if isOwn, credentials.isReader { return .allowed }
            if let list, AccountAccessList.admits(list.readOnly + list.readWrite, credentials) { return .allowed }
        case .changeContainer, .writeObject:
            if let list, AccountAccessList.admits(list.readWrite, credentials) { return .allowed }
        case .none, .changeAccount, .manageAccount: break
        }
        return nil
    }

    private static func admitsReferrer(_ list: AccessList, _ permission: SwiftPermission, _ referer: String?) -> Bool {
        switch permission {
        case .readObject: list.admits(referer: referer)
        case .readContainer: list.listsForReferrers && list.admits(referer: referer)
        default: false
        }
    }

    /// Throws 401 or 403.
    static func check(_ decision: Decision, account: String) throws(SwiftError) {
        switch decision {
        case .allowed, .allowedAsOwner: return
        case .forbidden: throw .forbidden
        case .unauthorized: throw unauthorized(account)
        }
    }

    static func unauthorized(_ account: String) -> SwiftError {
        SwiftError(401, headers: ["Www-Authenticate": "Swift realm=\"\(realm(account))\""])
    }

    /// A name as it may stand in a header.
    static func realm(_ name: String) -> String { name.isEmpty ? "unknown" : PercentEncoding.encode(name) }
}

extension [SwiftHeader] {
    subscript(name: String) -> String? { first { $0.name == name }?.value }
}
