import ArgumentParser
import Checksums
import ClusterState
import Foundation

struct UpdateUserPassword: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "update-user-password", abstract: "Sets a user's password for Swift and Keystone.",
        discussion: """
            All tokens of the user end. The S3 keys stay.

            EXAMPLES:
              martlet-adm update-user-password alice --password-file -
              martlet-adm update-user-password alice 'correct horse battery'
            """)
    @OptionGroup var options: ConnectionOptions
    @OptionGroup var source: PasswordSource
    @Argument(help: "The user's id.") var user: String
    @Argument(help: "The password; other users of this host may see it here.") var password: String?

    var verbArguments: [String] { [user] }

    mutating func run() async throws {
        guard let hash = try source.hash(or: password) else {
            throw Failure(.usage, "no password: give one, or --password-file", asJSON: options.json)
        }
        try await perform(with: [user, hash])
    }
}

struct RevokeTokens: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "revoke-tokens", abstract: "Ends all tokens that a user has got by now.",
        discussion: "EXAMPLE: martlet-adm revoke-tokens alice")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The user's id.") var user: String

    var verbArguments: [String] { [user] }
}

struct CreateApplicationCredential: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-application-credential",
        abstract: "A secret for a program that works for a user in one project. Shown only now.",
        discussion: """
            EXAMPLE: martlet-adm create-application-credential alice backups nightly --hours 720 --roles swiftoperator
            """)
    @OptionGroup var options: ConnectionOptions
    @OptionGroup var source: PasswordSource
    @Option(help: "Roles of the user that it has; default: all in this project.") var roles: String?
    @Option(help: "How long it is good; default: for ever.") var hours: Int?
    @Argument(help: "The user's id.") var user: String
    @Argument(help: "The project's name or id.") var project: String
    @Argument(help: "The credential's name.") var name: String

    mutating func run() async throws {
        let secret = try source.read() ?? hexDigits(ofRandom: 32)
        var arguments = [user, project, name, PasswordHash(of: secret).description]
        if let roles { arguments.append("roles=" + roles) }
        if let hours { arguments.append("hours=\(hours)") }
        var made = try report(ApplicationCredentialReport.self, try await options.call(verb, arguments))
        made.secret = secret
        try print(
            options.json
                ? String(decoding: ReportCoding.encode(made), as: UTF8.self) : IdentityText.credential(made))
    }
}

struct DeleteApplicationCredential: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "delete-application-credential", abstract: "Ends an application credential and its tokens.",
        discussion: "EXAMPLE: martlet-adm delete-application-credential alice nightly")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The user's id.") var user: String
    @Argument(help: "The credential's name or id.") var name: String

    var verbArguments: [String] { [user, name] }
}

struct GetApplicationCredentials: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-application-credentials", abstract: "A user's application credentials, without secrets.",
        discussion: "EXAMPLE: martlet-adm get-application-credentials alice")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The user's id.") var user: String

    var verbArguments: [String] { [user] }
    func text(_ json: [UInt8]) throws -> String {
        IdentityText.credentials(try report(ApplicationCredentialsReport.self, json))
    }
}

/// Where a password or secret comes from. It is hashed here: the cluster never sees it.
struct PasswordSource: ParsableArguments {
    @Option(
        help: ArgumentHelp("File whose first line is the password; - for standard input.", valueName: "file"),
        completion: .file())
    var passwordFile: String?

    /// nil: none was named.
    func read() throws -> String? {
        guard let passwordFile else { return nil }
        let line: String?
        if passwordFile == "-" {
            line = readLine()
        } else {
            line = try? String(contentsOfFile: passwordFile, encoding: .utf8)
                .split(separator: "\n", omittingEmptySubsequences: false).first.map(String.init)
        }
        guard let line, !line.isEmpty else { throw Failure(.usage, "no password in \(passwordFile)") }
        return line
    }

    /// The hash of the password in the file, or of the one that was given otherwise.
    func hash(or given: String?) throws -> String? {
        guard let password = try read() ?? given else { return nil }
        guard (1...4096).contains(password.utf8.count) else {
            throw Failure(.usage, "a password has 1 to 4096 bytes")
        }
        return PasswordHash(of: password).description
    }
}

private func hexDigits(ofRandom count: Int) -> String {
    randomBytes(count).map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
}
