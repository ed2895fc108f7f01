import Model

/// Keys of the cluster's state in the manager's store.
///
/// Entries under the shared prefixes are mirrored by every process; everything else never leaves the managers.
public enum ClusterKeys {
    public static let settings = "settings/cluster"
    public static let ring = "ring"
    public static let memberPrefix = "members/"
    public static let userPrefix = "users/"
    public static let bucketPrefix = "buckets/"
    public static let endpointPrefix = "endpoints/"
    public static let encryptionKeyPrefix = "encryption-keys/"
    public static let projectPrefix = "projects/"
    public static let revokedTokenPrefix = "revoked-tokens/"
    public static let webhookPrefix = "webhooks/"

    public static func member(_ name: NodeName) -> String { memberPrefix + name.rawValue }
    public static func user(_ id: String) -> String { userPrefix + id }
    public static func bucket(_ name: String) -> String { bucketPrefix + name }
    public static func encryptionKey(_ name: String) -> String { encryptionKeyPrefix + name }
    public static func webhook(_ name: String) -> String { webhookPrefix + name }
    public static func project(_ id: String) -> String { projectPrefix + id }
    /// - Parameter id: the token's audit id, in hex.
    public static func revokedToken(_ id: String) -> String { revokedTokenPrefix + id }
    public static func endpoint(_ host: String) -> String { endpointPrefix + host }

    /// Whether other processes may mirror the entry. Users and keys only concern those who serve clients.
    public static func isShared(_ key: String, withUsers: Bool) -> Bool {
        let forGateways = [userPrefix, projectPrefix, revokedTokenPrefix, encryptionKeyPrefix, webhookPrefix]
        if forGateways.contains(where: key.hasPrefix) {
            return withUsers
        }
        return key == settings || key == ring || key.hasPrefix(memberPrefix) || key.hasPrefix(bucketPrefix)
            || key.hasPrefix(endpointPrefix)
    }
}
