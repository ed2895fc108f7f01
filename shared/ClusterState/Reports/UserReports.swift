/// `create-user`, `import-user`: the only time that the secret is shown.
public struct CreatedUserReport: Codable, Sendable, Equatable {
    public var userId: String
    public var accessKeyId: String
    public var secretAccessKey: String

    public init(userId: String, accessKeyId: String, secretAccessKey: String) {
        self.userId = userId
        self.accessKeyId = accessKeyId
        self.secretAccessKey = secretAccessKey
    }
}

/// `get-users`.
public struct UsersReport: Codable, Sendable, Equatable {
    public struct User: Codable, Sendable, Equatable {
        public var userId: String
        /// 1 general, 9 admin.
        public var roleId: Int
        public var accessKeyId: String
        public var createdAt: String

        public init(userId: String, roleId: Int, accessKeyId: String, createdAt: String) {
            self.userId = userId
            self.roleId = roleId
            self.accessKeyId = accessKeyId
            self.createdAt = createdAt
        }
    }

    public var users: [User]
    public init(users: [User]) { self.users = users }
}

/// `create-token`.
public struct TokenReport: Codable, Sendable, Equatable {
    public var id: String
    public var token: String
    public var expiresAt: String
    public var reusable: Bool

    public init(id: String, token: String, expiresAt: String, reusable: Bool) {
        self.id = id
        self.token = token
        self.expiresAt = expiresAt
        self.reusable = reusable
    }
}
