import ArgumentParser
import ClusterState

struct RecoverFile: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover-file",
        abstract: "Compares the replicas of one object and of its chunks and repairs them; waits for the end.",
        discussion: "EXAMPLE: martlet-adm recover-file photos/2024/cat.jpg")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "BUCKET/KEY.") var path: String

    var verbArguments: [String] { [path] }
    func text(_ json: [UInt8]) throws -> String { "OK\n" + (try report(TasksReport.Item.self, json).result) }
}

/// A verb that begins a task.
protocol TaskVerb: VerbCommand {}

extension TaskVerb {
    func text(_ json: [UInt8]) throws -> String {
        let id = try report(TaskStartedReport.self, json).id
        return "OK\ntask \(id): martlet-adm tasks --watch shows how far it is"
    }
}

struct RecoverConsistency: TaskVerb {
    static let configuration = CommandConfiguration(
        commandName: "recover-consistency",
        abstract: "Compares everything that a storage node should have with the other replicas and repairs it.",
        discussion: "EXAMPLE: martlet-adm recover-consistency storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String

    var verbArguments: [String] { [node] }
}

struct RecoverNode: TaskVerb {
    static let configuration = CommandConfiguration(
        commandName: "recover-node",
        abstract: "As recover-consistency, again and again until it is proved that the node has everything.",
        discussion: """
            For a node that was away, was wiped or has new disks: it may be started later, and gets its memory back first \
            where it has lost it.

            EXAMPLE: martlet-adm recover-node storage-1
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String

    var verbArguments: [String] { [node] }
}

struct RecoverDisk: TaskVerb {
    static let configuration = CommandConfiguration(
        commandName: "recover-disk",
        abstract: "As recover-node, for one disk of the node.",
        discussion: """
            A disk that was replaced needs `disk replace` first.

            EXAMPLE: martlet-adm recover-disk storage-1 /srv/disk-2
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    @Argument(help: "The disk's path, as in disk list.") var path: String

    var verbArguments: [String] { [node, path] }
}

struct RecoverRing: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "recover-ring",
        abstract: "Has a process pull the ring from a manager now.",
        discussion: """
            Processes do that by themselves: no ring is ever pushed, and an older one is refused. The verb shows that a \
            process can reach a manager, and what it has then.

            EXAMPLE: martlet-adm recover-ring storage-1
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A process's name.") var node: String

    var verbArguments: [String] { [node] }
}

struct PurgeTombstones: TaskVerb {
    static let configuration = CommandConfiguration(
        commandName: "purge-tombstones",
        abstract: "Drops tombstones of deleted objects now, those that every replica of their key holds.",
        discussion: """
            Repair does that by itself, with those that are older than repair.tombstone_grace. Younger ones are needed by \
            a replica that still misses the delete: those stay, whatever the age, and so do all of partitions that move or \
            of which a replica does not answer. Cannot be undone.

            EXAMPLE: martlet-adm purge-tombstones --older-than 1h
            """)
    @OptionGroup var options: ConnectionOptions
    @OptionGroup var confirmation: Confirmation
    @Option(help: "Younger ones stay, such as 30s or 2h; none: repair.tombstone_grace.") var olderThan: String?

    var verbArguments: [String] { olderThan.map { [$0] } ?? [] }

    mutating func run() async throws {
        try confirmation.ask("Drop the tombstones that all replicas of deleted objects hold?")
        try await perform()
    }
}

struct RepairStatus: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "repair-status",
        abstract: "What the repair process is doing, or did last, and whether it proved equality.",
        discussion: "EXAMPLE: martlet-adm repair-status")
    @OptionGroup var options: ConnectionOptions

    func text(_ json: [UInt8]) throws -> String { try NodeText.fields(json, title: "Repair") }
}
