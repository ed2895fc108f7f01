import Wire

extension MemberRole {
    /// The word used for the role in files, metrics and messages.
    public var word: String {
        switch self {
        case .gateway: "gateway"
        case .storage: "storage"
        case .replicator: "replicator"
        case .repair: "repair"
        case .manager: "manager"
        case .admin: "admin"
        default: "unknown"
        }
    }
}
