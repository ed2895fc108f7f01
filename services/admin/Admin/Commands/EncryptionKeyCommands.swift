import ArgumentParser
import ClusterState

struct CreateEncryptionKey: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-encryption-key", abstract: "Makes a named key for objects that are encrypted by SSE-KMS.",
        discussion: "EXAMPLE: martlet-adm create-encryption-key invoices")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The key's name: what clients give as the key's id.") var name: String

    var verbArguments: [String] { [name] }
}

struct RotateEncryptionKey: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "rotate-encryption-key", abstract: "Gives a key a new version: new objects are sealed with it.",
        discussion: """
            What older versions have sealed stays readable; nothing is encrypted anew.

            EXAMPLE: martlet-adm rotate-encryption-key invoices
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The key's name.") var name: String

    var verbArguments: [String] { [name] }
}

struct DisableEncryptionKey: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "disable-encryption-key",
        abstract: "Nothing that a key has sealed can be read until it is enabled.",
        discussion: "EXAMPLE: martlet-adm disable-encryption-key invoices")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The key's name.") var name: String

    var verbArguments: [String] { [name] }
}

struct EnableEncryptionKey: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "enable-encryption-key", abstract: "Lets a key be used again.",
        discussion: "EXAMPLE: martlet-adm enable-encryption-key invoices")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The key's name.") var name: String

    var verbArguments: [String] { [name] }
}

struct GetEncryptionKeys: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "get-encryption-keys", abstract: "The named keys of SSE-KMS.",
        discussion: "EXAMPLE: martlet-adm get-encryption-keys")
    @OptionGroup var options: ConnectionOptions

    func text(_ json: [UInt8]) throws -> String {
        TextTable(
            columns: [
                .init("name"), .init("state"), .init("versions"), .init("created_at", width: 25),
                .init("rotated_at", width: 25),
            ],
            rows: try report(EncryptionKeysReport.self, json).keys.map {
                [$0.name, $0.state, "\($0.versions)", $0.createdAt, $0.rotatedAt]
            }, framed: false
        ).text
    }
}
