import ArgumentParser

struct ScrubStart: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub-start",
        abstract: "Begins to read everything on the disks of a storage node, to find what was damaged.",
        discussion: """
            A scrub that is under way goes on. Disks are also scrubbed by themselves: see storage.scrub_interval.

            EXAMPLE: martlet-adm scrub-start storage-1 --rate 33554432
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String
    @Option(help: "Bytes per second of each disk, until the node is restarted.") var rate: Int?

    var verbArguments: [String] { [node] + (rate.map { [String($0)] } ?? []) }
    func text(_ json: [UInt8]) throws -> String { try NodeText.fields(json, title: "Scrub") }
}

struct ScrubStatus: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub-status",
        abstract: "How far the scrub of each disk is, what it has found, and when it will be done.",
        discussion: "EXAMPLE: martlet-adm scrub-status storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String

    var verbArguments: [String] { [node] }
    func text(_ json: [UInt8]) throws -> String { try NodeText.fields(json, title: "Scrub") }
}

struct ScrubSuspend: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub-suspend",
        abstract: "Stops the scrub of a storage node until scrub-resume, also over a restart.",
        discussion: "EXAMPLE: martlet-adm scrub-suspend storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String

    var verbArguments: [String] { [node] }
}

struct ScrubResume: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "scrub-resume",
        abstract: "Lets the scrub of a storage node go on where it was.",
        discussion: "EXAMPLE: martlet-adm scrub-resume storage-1")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String

    var verbArguments: [String] { [node] }
}

struct DiagnoseStart: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "diagnose-start",
        abstract: "Has a storage node write a report of every record in its logs.",
        discussion: """
            The report is a table with tabs between its columns, one file for each disk, in the directory log of the \
            node's data. Of a large node the verb answers before it is done; the same verb then tells how far it is.

            EXAMPLE: martlet-adm diagnose-start storage-1
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node's name.") var node: String

    var verbArguments: [String] { [node] }
    func text(_ json: [UInt8]) throws -> String { try NodeText.fields(json, title: "Diagnosis") }
}
