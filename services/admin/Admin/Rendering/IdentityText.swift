import ClusterState

/// Projects, roles and credentials for people.
enum IdentityText {
    static func project(_ report: ProjectReport) -> String {
        "  project-id: \(report.projectId)\n  name: \(report.name)"
    }

    static func projects(_ report: ProjectsReport) -> String {
        TextTable(
            columns: [
                .init("project_id", width: 32), .init("name"), .init("description"), .init("created_at", width: 25),
            ],
            rows: report.projects.map { [$0.projectId, $0.name, $0.description, $0.createdAt] }, framed: false
        ).text
    }

    static func roles(_ report: RolesReport) -> String {
        TextTable(
            columns: [.init("user_id"), .init("project"), .init("role"), .init("default")],
            rows: report.roles.map { [$0.userId, $0.project, $0.role, $0.isDefault ? "yes" : ""] }, framed: false
        ).text
    }

    static func credential(_ report: ApplicationCredentialReport) -> String {
        "  id: \(report.id)\n  secret: \(report.secret ?? "")"
    }

    static func credentials(_ report: ApplicationCredentialsReport) -> String {
        TextTable(
            columns: [
                .init("id", width: 32), .init("name"), .init("project"), .init("roles"), .init("expires_at"),
            ],
            rows: report.applicationCredentials.map {
                [$0.id, $0.name, $0.project, $0.roles.joined(separator: ","), $0.expiresAt]
            }, framed: false
        ).text
    }
}
