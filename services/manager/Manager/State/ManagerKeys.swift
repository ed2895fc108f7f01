import Model

/// Keys that never leave the managers.
enum ManagerKeys {
    static let tokenPrefix = "tokens/"
    /// The last writer id that was given away, decimal.
    static let lastWriter = "counters/writer"
    /// Changed by every edit: see ``StateEdit``.
    static let edits = "counters/edits"
    /// Name of the manager that leads; under a lease.
    static let leader = "leader"
    /// The administrator's key pair, sealed: every manager writes the same `admin.toml`.
    static let adminKeyPair = "keys/admin"
    /// A value sealed with the master key: tells whether a manager has the right one.
    static let masterKeyCheck = "keys/master-check"

    /// Public keys of members that were removed; the value is the name.
    static let refusedKeyPrefix = "refused-keys/"

    static func refusedKey(_ publicKey: [UInt8]) -> String { refusedKeyPrefix + hexDigits(of: publicKey) }
    static func token(_ id: String) -> String { tokenPrefix + id }
}
