/// Keys that never leave the managers.
enum ManagerKeys {
    static let tokenPrefix = "tokens/"
    /// The last writer id that was given away, decimal.
    static let lastWriter = "counters/writer"
    /// A value sealed with the master key: tells whether a manager has the right one.
    static let masterKeyCheck = "keys/master-check"

    static func token(_ id: String) -> String { tokenPrefix + id }
}
