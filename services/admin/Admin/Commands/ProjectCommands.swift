import ArgumentParser
import ClusterState
import Foundation

struct CreateProject: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-project", abstract: "Makes a project (tenant) of Keystone: an account of Swift.",
        discussion: "EXAMPLE: martlet-adm create-project backups --description 'nightly backups'")
    @OptionGroup var options: ConnectionOptions
    @Option(help: "The project's id, part of its account's name. Default: 32 random hex digits.") var id: String?
    @Option(help: "For people.") var description: String?
    @Argument(help: "The project's name.") var project: String

    var verbArguments: [String] {
        [project] + (id.map { ["id=" + $0] } ?? []) + (description.map { ["description=" + $0] } ?? [])
    }
    func text(_ json: [UInt8]) throws -> String { IdentityText.project(try report(ProjectReport.self, json)) }
}

struct DeleteProject: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete-project", abstract: "Deletes a project without containers, and all roles in it.",
        discussion: "EXAMPLE: martlet-adm delete-project backups")
    @OptionGroup var options: ConnectionOptions
    @OptionGroup var confirmation: Confirmation
    @Argument(help: "The project's name or id.") var project: String

    var verbArguments: [String] { [project] }

    mutating func run() async throws {
        try confirmation.ask("Delete the project \(project), and what its users may do in it?")
        try await perform()
    }
}

struct GetProjects: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-projects", abstract: "All projects.", discussion: "EXAMPLE: martlet-adm get-projects")
    @OptionGroup var options: ConnectionOptions

    func text(_ json: [UInt8]) throws -> String { IdentityText.projects(try report(ProjectsReport.self, json)) }
}

/// What a user may do in a project.
struct RoleAssignment: ParsableArguments {
    static let roles = ["admin", "member", "reader", "ResellerAdmin", "service", "swiftoperator"]
    @Argument(help: "The user's id.") var user: String
    @Argument(help: "The project's name or id.") var project: String
    @Argument(help: "The role.", completion: .list(roles)) var role: String

    var verbArguments: [String] { [user, project, role] }
}

struct AddRole: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "add-role", abstract: "Gives a user a role in a project.",
        discussion: """
            admin and swiftoperator own the project's account; reader reads it; ResellerAdmin owns all accounts; a user \
            with another role needs access control lists. The first project is the one of a login without a project.

            EXAMPLE: martlet-adm add-role alice backups swiftoperator
            """)
    @OptionGroup var options: ConnectionOptions
    @OptionGroup var assignment: RoleAssignment

    var verbArguments: [String] { assignment.verbArguments }
}

struct RemoveRole: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove-role", abstract: "Takes a role in a project from a user.",
        discussion: "EXAMPLE: martlet-adm remove-role alice backups swiftoperator")
    @OptionGroup var options: ConnectionOptions
    @OptionGroup var assignment: RoleAssignment

    var verbArguments: [String] { assignment.verbArguments }
}

struct GetRoles: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-roles", abstract: "Who has which role in which project.",
        discussion: "EXAMPLE: martlet-adm get-roles alice")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "Only of this user.") var user: String?

    var verbArguments: [String] { user.map { [$0] } ?? [] }
    func text(_ json: [UInt8]) throws -> String { IdentityText.roles(try report(RolesReport.self, json)) }
}

/// Of a verb that takes something away for good.
struct Confirmation: ParsableArguments {
    @Flag(help: "Do not ask.") var force = false

    /// Throws unless somebody says yes.
    func ask(_ question: String) throws {
        guard !force else { return }
        guard isatty(STDIN_FILENO) != 0 else {
            throw Failure(.usage, "this asks before it is done, and there is nobody to ask: give --force")
        }
        FileHandle.standardError.write(Data("\(question) [y/N] ".utf8))
        guard ["y", "yes"].contains(readLine()?.lowercased()) else { throw Failure(.usage, "not done") }
    }
}
