import ArgumentParser
import ClusterState
import Foundation

struct CreateUser: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-user", abstract: "Makes a user with a new pair of S3 keys. The secret is shown only now.",
        discussion: "EXAMPLE: martlet-adm create-user alice")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The user's id.") var user: String
    @Argument(help: "Taken for compatibility and ignored: nothing asks for a password yet.") var password: String?

    var verbArguments: [String] { [user] }

    mutating func run() async throws {
        if password != nil {
            FileHandle.standardError.write(Data("the password is ignored: nothing asks for one yet\n".utf8))
        }
        let json = try await options.call(verb, verbArguments)
        try print(options.json ? String(decoding: json, as: UTF8.self) : text(json))
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
