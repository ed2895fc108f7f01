import ArgumentParser
import ClusterState

struct DiskCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "disk", abstract: "The disks of a storage node: shows, adds, empties and replaces them.",
        discussion: """
            Each prints the disks of the node as they are then; slots move afterwards, `disk list` shows how far they are.

            EXAMPLES:
              martlet-adm disk list storage-1
              martlet-adm disk add storage-1 /srv/disk-3
              martlet-adm disk drain storage-1 /srv/disk-1
              martlet-adm disk replace storage-1 /srv/disk-2
            """,
        subcommands: [
            DiskList.self, DiskAdd.self, DiskWeight.self, DiskDrain.self, DiskReplace.self, DiskRemove.self,
            DiskTrust.self,
        ])
}

/// A verb that answers with the disks of a node.
protocol DiskVerb: VerbCommand {
    var node: String { get }
    var diskArguments: [String] { get }
}

extension DiskVerb {
    var verb: String { "disk-" + (Self.configuration.commandName ?? "") }
    var verbArguments: [String] { [node] + diskArguments }
    func text(_ json: [UInt8]) throws -> String { DiskText.list(try report(DiskListReport.self, json)) }
}

struct DiskList: DiskVerb {
    static let configuration = CommandConfiguration(
        commandName: "list", abstract: "State, space and slots of each disk, and the slots that move.",
        discussion: "EXAMPLE: martlet-adm disk list storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    var diskArguments: [String] { [] }
}

struct DiskAdd: DiskVerb {
    static let configuration = CommandConfiguration(
        commandName: "add", abstract: "An empty directory becomes a further disk; its share of the data moves there.",
        discussion: """
            The weight says how much: a disk of weight 2 holds twice what one of weight 1 does. Without it, it is the GiB \
            that are free there.

            EXAMPLE: martlet-adm disk add storage-1 /srv/disk-3 --weight 4000
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    @Argument(help: "An absolute path on that node.") var path: String
    @Option(help: "Its share, against the weights of the other disks.") var weight: Int?
    var diskArguments: [String] { [path] + (weight.map { ["\($0)"] } ?? []) }
}

struct DiskWeight: DiskVerb {
    static let configuration = CommandConfiguration(
        commandName: "weight", abstract: "Gives a disk another share of the data.",
        discussion: "EXAMPLE: martlet-adm disk weight storage-1 /srv/disk-3 8000")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    @Argument(help: "The disk's path.") var path: String
    @Argument(help: "Its share, against the weights of the other disks.") var weight: Int
    var diskArguments: [String] { [path, "\(weight)"] }
}

struct DiskDrain: DiskVerb {
    static let configuration = CommandConfiguration(
        commandName: "drain", abstract: "Moves everything off a disk; then it is retired and may be taken out.",
        discussion: """
            EXAMPLES:
              martlet-adm disk drain storage-1 /srv/disk-1
              martlet-adm disk drain storage-1 /srv/disk-1 --cancel
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    @Argument(help: "The disk's path.") var path: String
    @Flag(help: "Brings back what has gone.") var cancel = false
    var diskArguments: [String] { [path] + (cancel ? ["--cancel"] : []) }
}

struct DiskReplace: DiskVerb {
    static let configuration = CommandConfiguration(
        commandName: "replace",
        abstract: "An empty disk takes the place of one that was lost or wiped, at the same path.",
        discussion: """
            It does not vote for its keys until the repair process has brought back what the other replicas have.

            EXAMPLE: martlet-adm disk replace storage-1 /srv/disk-2
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    @Argument(help: "The disk's path.") var path: String
    var diskArguments: [String] { [path] }
}

struct DiskRemove: DiskVerb {
    static let configuration = CommandConfiguration(
        commandName: "remove", abstract: "Gives up a disk that is lost: its part goes to the node's other disks.",
        discussion: """
            They do not vote for that part until the repair process has brought back what the other replicas have. A disk \
            that works is taken out with `disk drain`.

            EXAMPLE: martlet-adm disk remove storage-1 /srv/disk-2 --lost
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    @Argument(help: "The disk's path.") var path: String
    @Flag(help: "The disk will not come back.") var lost = false
    var diskArguments: [String] { [path] + (lost ? ["--lost"] : []) }
}

struct DiskTrust: DiskVerb {
    static let configuration = CommandConfiguration(
        commandName: "trust", abstract: "Takes what a disk has for everything, although it has lost records.",
        discussion: """
            For a cluster with one replica only: nobody else has what was lost. Elsewhere the repair process does it \
            without loss.

            EXAMPLE: martlet-adm disk trust storage-1 /srv/disk-2 --accept-loss
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    @Argument(help: "The disk's path.") var path: String
    @Flag(help: "What the disk has forgotten is given up.") var acceptLoss = false
    var diskArguments: [String] { [path] + (acceptLoss ? ["--accept-loss"] : []) }
}
