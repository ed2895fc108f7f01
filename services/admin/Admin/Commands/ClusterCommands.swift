import ArgumentParser
import ClusterState

struct VersionCommand: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "version", abstract: "The manager's version; with `all` that of every process.",
        discussion: "EXAMPLE: martlet-adm version all")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "`all`: every process.") var all: String?

    func validate() throws {
        guard all == nil || all == "all" else { throw ValidationError("the only argument is `all`") }
    }

    func text(_ json: [UInt8]) throws -> String {
        let version = try report(VersionReport.self, json)
        return all == nil ? version.version : StatusText.versions(version)
    }
}

struct StatusCommand: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "status", abstract: "The cluster: settings, ring and nodes; or one node.",
        discussion: """
            Types: M manager, S storage, G gateway, R replicator, P repair.
            States: attached (known, not in the ring), running, stop (does not answer), suspend, detached, restarted.

            EXAMPLES:
              martlet-adm status
              martlet-adm status storage-1
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A node's name.") var node: String?

    var verbArguments: [String] { node.map { [$0] } ?? [] }

    func text(_ json: [UInt8]) throws -> String {
        node == nil ? StatusText.cluster(try report(StatusReport.self, json)) : try NodeText.status(json)
    }
}

struct StartCommand: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "start", abstract: "Makes the ring of all attached storage nodes. Once in a cluster's life.",
        discussion: "EXAMPLE: martlet-adm start")
    @OptionGroup var options: ConnectionOptions

    mutating func run() async throws {
        if !options.json { print("Generating RING...") }
        let json = try await options.call(verb, [])
        try print(options.json ? String(decoding: json, as: UTF8.self) : text(json))
    }

    func text(_ json: [UInt8]) throws -> String { StatusText.started(try report(StartReport.self, json)) }
}

struct UpdateConsistencyLevel: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "update-consistency-level",
        abstract: "How many replicas must acknowledge a write, a read and a delete, and how many there are.",
        discussion: """
            Reads and writes of one key are linearizable if and only if W, R and D are majorities of the replicas. They \
            count at once; another number of replicas is brought about by the next rebalance.

            EXAMPLES:
              martlet-adm update-consistency-level 2 2 2
              martlet-adm update-consistency-level 3 3 3 5
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "Writes.") var w: Int
    @Argument(help: "Reads.") var r: Int
    @Argument(help: "Deletes.") var d: Int
    @Argument(help: "Replicas of each object; default: as many as now.") var n: Int?

    var verbArguments: [String] { ([w, r, d] + (n.map { [$0] } ?? [])).map(String.init) }
}

struct DumpRing: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump-ring", abstract: "The ring that a node works with.",
        discussion: "EXAMPLE: martlet-adm dump-ring storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A node's name.") var node: String

    var verbArguments: [String] { [node] }
    func text(_ json: [UInt8]) throws -> String { NodeText.ring(try report(NodeText.Ring.self, json)) }
}

struct UpdateLogLevel: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "update-log-level", abstract: "Changes what a running node logs, until it restarts.",
        discussion: "EXAMPLE: martlet-adm update-log-level storage-1 debug")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A node's name.") var node: String
    @Argument(help: "debug, info, warn or error.", completion: .list(["debug", "info", "warn", "error"]))
    var level: String

    var verbArguments: [String] { [node, level] }
}

struct CreateToken: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "create-token", abstract: "A token that lets a new process join the cluster.",
        discussion: """
            The token is for one process unless --reusable. It goes into the new process's configuration \
            (node.join_token or node.join_token_file) and is not needed after that.

            EXAMPLES:
              martlet-adm create-token
              martlet-adm create-token --reusable --hours 2
              martlet-adm create-token --replace gateway-2
            """)
    @OptionGroup var options: ConnectionOptions
    @Flag(help: "Any number of processes may use it.") var reusable = false
    @Option(help: "How long it is good for.") var hours = 24
    @Option(help: "Only the process of this name may use it.") var name: String?
    @Option(help: "The process of this name may come with a new key; never a storage node of the ring.") var replace:
        String?

    func validate() throws {
        guard name == nil || replace == nil else { throw ValidationError("--name and --replace exclude each other") }
    }

    var verbArguments: [String] {
        var words = ["hours=\(hours)"]
        if reusable { words.append("reusable") }
        if replace != nil { words.append("replace") }
        if let name = name ?? replace { words.append("name=\(name)") }
        return words
    }

    func text(_ json: [UInt8]) throws -> String { try report(TokenReport.self, json).token }
}
