import ArgumentParser
import ClusterState

struct WhereisCommand: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "whereis", abstract: "Where the replicas of an object are, and what each has.",
        discussion: """
            `*` under `del?` is a tombstone; a blank row is a replica that has nothing. Nodes that do not answer stand \
            under [Failure Nodes].

            EXAMPLE: martlet-adm whereis photos/2024/cat.jpg
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "BUCKET/KEY.") var path: String

    var verbArguments: [String] { [path] }
    func text(_ json: [UInt8]) throws -> String { WhereisText.table(try report(WhereisReport.self, json)) }
}

struct DiskUsage: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "du", abstract: "Objects and bytes of a storage node; with `detail` for each disk.",
        discussion: """
            EXAMPLES:
              martlet-adm du storage-1
              martlet-adm du detail storage-1
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: ArgumentHelp("NODE, or `detail` NODE.", valueName: "node")) var words: [String]

    func validate() throws {
        guard words.count == 1 || (words.count == 2 && words[0] == "detail") else {
            throw ValidationError("the arguments are NODE, or detail NODE")
        }
    }

    var verbArguments: [String] { words.suffix(1) }

    func text(_ json: [UInt8]) throws -> String {
        let usage = try report(DiskUsageReport.self, json)
        return words.count == 1 ? DiskUsageText.summary(usage) : DiskUsageText.detail(usage)
    }
}

struct QueueStats: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "mq-stats",
        abstract: "Work that waits: on a storage node the writes that others missed, on a replicator its queues.",
        discussion: """
            EXAMPLES:
              martlet-adm mq-stats storage-1
              martlet-adm mq-stats replicator
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's or replicator's name.") var node: String

    var verbArguments: [String] { [node] }
    func text(_ json: [UInt8]) throws -> String { NodeText.queues(try report(QueuesReport.self, json)) }
}

struct QueueSuspend: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "mq-suspend", abstract: "Stops the delivery of one queue of a replicator.",
        discussion: "EXAMPLE: martlet-adm mq-suspend replicator hints@storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A replicator's name.") var node: String
    @Argument(help: "The queue's id in mq-stats.") var id: String

    var verbArguments: [String] { [node, id] }
}

struct QueueResume: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "mq-resume", abstract: "Takes up the delivery of one queue of a replicator again.",
        discussion: "EXAMPLE: martlet-adm mq-resume replicator hints@storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A replicator's name.") var node: String
    @Argument(help: "The queue's id in mq-stats.") var id: String

    var verbArguments: [String] { [node, id] }
}
