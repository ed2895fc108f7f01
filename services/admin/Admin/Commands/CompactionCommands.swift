import ArgumentParser
import ClusterState

struct CompactStart: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact-start",
        abstract: "Frees the space of what was deleted or overwritten on a storage node.",
        discussion: """
            Goes segment by segment in the background, while the node serves; compact-status tells how far it is. \
            Segments with less than 5 % garbage are left alone.

            EXAMPLES:
              martlet-adm compact-start storage-1 all
              martlet-adm compact-start storage-1 2 --rate 100000000
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    @Argument(help: "`all` disks, or how many: those with the most garbage.") var disks = "all"
    @Option(help: "Bytes a second on each disk, for this run; default: storage.compaction_rate.") var rate: Int?

    func validate() throws {
        guard disks == "all" || (Int(disks) ?? 0) > 0 else { throw ValidationError("DISKS is all or a number") }
        guard rate.map({ $0 > 0 }) ?? true else { throw ValidationError("the rate is a number of bytes a second") }
    }

    var verbArguments: [String] { [node, disks] + (rate.map { ["\($0)"] } ?? []) }
}

struct CompactSuspend: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact-suspend",
        abstract: "Holds compaction on a storage node at once, also what it begins by itself, until it is resumed.",
        discussion: "EXAMPLE: martlet-adm compact-suspend storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String

    var verbArguments: [String] { [node] }
}

struct CompactResume: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact-resume", abstract: "Goes on with compaction where it was suspended.",
        discussion: "EXAMPLE: martlet-adm compact-resume storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String

    var verbArguments: [String] { [node] }
}

struct CompactStatus: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "compact-status", abstract: "What compaction does on a storage node, and what it has freed.",
        discussion: """
            Targets are segments of the object logs. Out of targets are those that are not worth compacting, or that \
            have to wait.

            EXAMPLE: martlet-adm compact-status storage-1
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String

    var verbArguments: [String] { [node] }
    func text(_ json: [UInt8]) throws -> String { CompactionText.status(try report(CompactionReport.self, json)) }
}
