/// `create-project`, and one of `get-projects`.
public struct ProjectReport: Codable, Sendable, Equatable {
    public var projectId: String
    public var name: String
    public var description: String
    public var createdAt: String

    public init(projectId: String, name: String, description: String, createdAt: String) {
        self.projectId = projectId
        self.name = name
        self.description = description
        self.createdAt = createdAt
    }
}

/// `get-projects`.
public struct ProjectsReport: Codable, Sendable, Equatable {
    public var projects: [ProjectReport]
    public init(projects: [ProjectReport]) { self.projects = projects }
}

/// `get-roles`.
public struct RolesReport: Codable, Sendable, Equatable {
    public struct Role: Codable, Sendable, Equatable {
        public var userId: String
        /// The project's name.
        public var project: String
        public var role: String
        /// A login without a project is about this one.
        public var isDefault: Bool

        public init(userId: String, project: String, role: String, isDefault: Bool) {
            self.userId = userId
            self.project = project
            self.role = role
            self.isDefault = isDefault
        }
    }

    public var roles: [Role]
    public init(roles: [Role]) { self.roles = roles }
}

/// `create-application-credential`, and one of `get-application-credentials`.
public struct ApplicationCredentialReport: Codable, Sendable, Equatable {
    public var id: String
    public var name: String
    public var userId: String
    /// The project's name.
    public var project: String
    public var roles: [String]
    /// "": never.
    public var expiresAt: String
    /// Only where it is made; the cluster does not know it.
    public var secret: String?

    public init(
        id: String, name: String, userId: String, project: String, roles: [String], expiresAt: String,
        secret: String? = nil
    ) {
        self.id = id
        self.name = name
        self.userId = userId
        self.project = project
        self.roles = roles
        self.expiresAt = expiresAt
        self.secret = secret
    }
}

/// `get-application-credentials`.
public struct ApplicationCredentialsReport: Codable, Sendable, Equatable {
    public var applicationCredentials: [ApplicationCredentialReport]

    public init(applicationCredentials: [ApplicationCredentialReport]) {
        self.applicationCredentials = applicationCredentials
    }
}
