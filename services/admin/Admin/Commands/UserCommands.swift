import ArgumentParser
import ClusterState

struct CreateUser: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-user", abstract: "Makes a user with a new pair of S3 keys. The secret is shown only now.",
        discussion: """
            A password and a role in a project let the user in by Swift and Keystone too.

            EXAMPLES:
              martlet-adm create-user alice
              martlet-adm create-user alice --password-file - --project backups --role swiftoperator
            """)
    @OptionGroup var options: ConnectionOptions
    @OptionGroup var source: PasswordSource
    @Option(help: "Give the user a role in this project.") var project: String?
    @Option(help: "The role in the project.", completion: .list(RoleAssignment.roles)) var role = "swiftoperator"
    @Argument(help: "The user's id.") var user: String
    @Argument(help: "The password; other users of this host may see it here.") var password: String?

    /// Without what is added when it runs.
    var verbArguments: [String] { [user] }

    mutating func run() async throws {
        var arguments = verbArguments
        if let hash = try source.hash(or: password) { arguments.append("password=" + hash) }
        if let project { arguments += ["project=" + project, "role=" + role] }
        try await perform(with: arguments)
    }

    func text(_ json: [UInt8]) throws -> String { UserText.keys(try report(CreatedUserReport.self, json)) }
}

struct ImportUser: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "import-user", abstract: "Makes a user with S3 keys that exist already.",
        discussion: "EXAMPLE: martlet-adm import-user alice 05236a2b41f0c3d9e8b7 802562235a...")
    @OptionGroup var options: ConnectionOptions
    @Flag(name: [.short, .long], help: "Replace the keys of a user who exists.") var force = false
    @Argument(help: "The user's id.") var user: String
    @Argument(help: "Access key id.") var accessKeyID: String
    @Argument(help: "Secret access key.") var secretAccessKey: String

    var verbArguments: [String] { [user, accessKeyID, secretAccessKey] + (force ? ["force"] : []) }
    func text(_ json: [UInt8]) throws -> String { UserText.keys(try report(CreatedUserReport.self, json)) }
}

struct DeleteUser: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete-user", abstract: "Deletes a user who owns no bucket.",
        discussion: "EXAMPLE: martlet-adm delete-user alice")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The user's id.") var user: String

    var verbArguments: [String] { [user] }
}

struct GetUsers: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-users", abstract: "All users.", discussion: "EXAMPLE: martlet-adm get-users")
    @OptionGroup var options: ConnectionOptions

    func text(_ json: [UInt8]) throws -> String { UserText.table(try report(UsersReport.self, json)) }
}

struct UpdateUserRole: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "update-user-role", abstract: "Sets a user's role: 1 general, 9 admin.",
        discussion: "EXAMPLE: martlet-adm update-user-role alice 9")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The user's id.") var user: String
    @Argument(help: "1 or 9.", completion: .list(["1", "9"])) var role: Int

    func validate() throws {
        guard role == 1 || role == 9 else { throw ValidationError("the role is 1 (general) or 9 (admin)") }
    }

    var verbArguments: [String] { [user, String(role)] }
}
