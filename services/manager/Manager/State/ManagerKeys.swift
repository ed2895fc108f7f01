import Model

/// Keys that never leave the managers.
enum ManagerKeys {
    static let tokenPrefix = "tokens/"
    /// The last writer id that was given away, decimal.
    static let lastWriter = "counters/writer"
    /// A value sealed with the master key: tells whether a manager has the right one.
    static let masterKeyCheck = "keys/master-check"

    /// Public keys of members that were removed; the value is the name.
    static let refusedKeyPrefix = "refused-keys/"

    static func refusedKey(_ publicKey: [UInt8]) -> String { refusedKeyPrefix + hexDigits(of: publicKey) }
    static func token(_ id: String) -> String { tokenPrefix + id }
}
