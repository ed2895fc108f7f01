/// `get-encryption-keys`, and what the verbs that change a key answer.
public struct EncryptionKeysReport: Codable, Sendable, Equatable {
    public struct Key: Codable, Sendable, Equatable {
        public var name: String
        /// `enabled` or `disabled`.
        public var state: String
        public var versions: Int
        public var createdAt: String
        /// When the newest version was made.
        public var rotatedAt: String

        public init(name: String, state: String, versions: Int, createdAt: String, rotatedAt: String) {
            self.name = name
            self.state = state
            self.versions = versions
            self.createdAt = createdAt
            self.rotatedAt = rotatedAt
        }
    }

    public var keys: [Key]
    public init(keys: [Key]) { self.keys = keys }
}
