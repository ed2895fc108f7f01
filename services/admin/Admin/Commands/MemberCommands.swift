import ArgumentParser
import ClusterState

struct SuspendNode: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "suspend", abstract: "Announces planned maintenance of a storage node.",
        discussion: """
            Readers ask other replicas first, and its silence alarms nobody, until `resume`; the state outlasts restarts. \
            While the node runs it takes part as before. Refused while others are down whose absence together with its \
            own would leave partitions without a write quorum.

            EXAMPLE: martlet-adm suspend storage-1
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    @Flag(help: "Even if partitions lose their write quorum while it is down.") var force = false

    var verbArguments: [String] { [node] + (force ? ["force"] : []) }
}

struct ResumeNode: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "resume", abstract: "Ends the maintenance of a storage node.",
        discussion: "EXAMPLE: martlet-adm resume storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String

    var verbArguments: [String] { [node] }
}

struct RemoveNode: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove-node",
        abstract: "Forgets a process that was stopped for good; its key is refused from now on.",
        discussion: """
            For gateways, replicators, repair processes, and storage nodes that hold no part of the ring. The machine may \
            come back with an empty folder (node.data) and a new join token.

            EXAMPLE: martlet-adm remove-node replicator-2
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The name of a stopped process.") var node: String

    var verbArguments: [String] { [node] }
}

struct RemoveGateway: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove-gateway", abstract: "Forgets a stopped gateway; its key is refused from now on.",
        discussion: "EXAMPLE: martlet-adm remove-gateway gateway-2")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The name of a stopped gateway.") var node: String

    var verbArguments: [String] { [node] }
}
