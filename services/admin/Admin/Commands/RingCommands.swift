import ArgumentParser
import ClusterState

/// Verbs that answer how a plan for the ring stands.
protocol RingPlanVerb: VerbCommand {}

extension RingPlanVerb {
    func text(_ json: [UInt8]) throws -> String { try RebalanceText.render(json) }
}

struct Rebalance: RingPlanVerb {
    static let configuration = CommandConfiguration(
        commandName: "rebalance", abstract: "Carries out what was announced for the ring, while it serves.",
        discussion: """
            Takes in attached nodes, takes out detached ones, and applies takeovers, weights, zones and another number of \
            replicas, all as one plan. With --dry-run it only says what would move, and about how much that is.

            EXAMPLES:
              martlet-adm rebalance --dry-run
              martlet-adm rebalance
              martlet-adm rebalance-status
            """)
    @OptionGroup var options: ConnectionOptions
    @Flag(help: "Only say what would move.") var dryRun = false

    var verbArguments: [String] { dryRun ? ["dry-run"] : [] }
}

struct RebalanceStatus: RingPlanVerb {
    static let configuration = CommandConfiguration(
        commandName: "rebalance-status", abstract: "How far the last plan for the ring has come.",
        discussion: "EXAMPLE: martlet-adm rebalance-status --json")
    @OptionGroup var options: ConnectionOptions
}

struct RebalancePause: RingPlanVerb {
    static let configuration = CommandConfiguration(
        commandName: "rebalance-pause", abstract: "Lets no further partition begin to move.",
        discussion: "EXAMPLE: martlet-adm rebalance-pause")
    @OptionGroup var options: ConnectionOptions
}

struct RebalanceResume: RingPlanVerb {
    static let configuration = CommandConfiguration(
        commandName: "rebalance-resume", abstract: "Goes on with a paused plan.",
        discussion: "EXAMPLE: martlet-adm rebalance-resume")
    @OptionGroup var options: ConnectionOptions
}

struct RebalanceRollback: RingPlanVerb {
    static let configuration = CommandConfiguration(
        commandName: "rebalance-rollback", abstract: "Takes back what a plan has not finished.",
        discussion: """
            Partitions that stand where the plan has put them stay there. What was announced stays announced: the next \
            rebalance would carry it out, unless `rollback` takes it back.

            EXAMPLE: martlet-adm rebalance-rollback
            """)
    @OptionGroup var options: ConnectionOptions
}

struct DetachNode: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "detach", abstract: "Announces that a storage node is to leave the ring.",
        discussion: """
            `rebalance` carries it out; then the node is no member any more and its key is refused. Its disks keep what \
            they have: wipe them. The machine comes back with an empty folder, as a new node.

            EXAMPLE: martlet-adm detach storage-2
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node of the ring.") var node: String

    var verbArguments: [String] { [node] }
}

struct TakeOver: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "takeover", abstract: "Announces that an attached node is to replace another one.",
        discussion: """
            It gets exactly what the other one holds, its weight and its zone; nothing else moves. `rebalance` carries it \
            out. The other one may be dead.

            EXAMPLE: martlet-adm takeover storage-2 storage-7
            """)
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "The node that goes.") var old: String
    @Argument(help: "The attached node that comes.") var new: String

    var verbArguments: [String] { [old, new] }
}

struct RollbackNode: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "rollback", abstract: "Takes back the announced removal of a storage node.",
        discussion: "EXAMPLE: martlet-adm rollback storage-2")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A detached storage node.") var node: String

    var verbArguments: [String] { [node] }
}

struct WeightNode: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "weight", abstract: "Sets the share of a storage node, from the next rebalance on.",
        discussion: "EXAMPLE: martlet-adm weight storage-2 4000")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node.") var node: String
    @Argument(help: "Its capacity, in any unit that all nodes share.") var weight: UInt64

    var verbArguments: [String] { [node, "\(weight)"] }
}

struct ZoneNode: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "zone", abstract: "Sets the zone (rack) of a storage node, from the next rebalance on.",
        discussion: "EXAMPLE: martlet-adm zone storage-2 rack-b")
    @OptionGroup var options: ConnectionOptions
    @Argument(help: "A storage node.") var node: String
    @Argument(help: "Nodes of one zone may fail together.") var zone: String

    var verbArguments: [String] { [node, zone] }
}
