import ClusterState

/// Users for people.
enum UserText {
    static func keys(_ report: CreatedUserReport) -> String {
        "  access-key-id: \(report.accessKeyId)\n  secret-access-key: \(report.secretAccessKey)"
    }

    static func table(_ report: UsersReport) -> String {
        TextTable(
            columns: [
                .init("user_id"), .init("role_id"), .init("access_key_id", width: 22), .init("created_at", width: 25),
            ],
            rows: report.users.map { [$0.userId, "\($0.roleId)", $0.accessKeyId, $0.createdAt] }, framed: false
        ).text
    }
}
