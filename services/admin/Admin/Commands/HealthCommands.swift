import ArgumentParser
import ClusterState

struct ClusterCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "cluster", abstract: "The cluster as a whole.",
        discussion: """
            EXAMPLE:
              martlet-adm cluster health
            """,
        subcommands: [ClusterHealth.self])
}

struct ClusterHealth: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "health", abstract: "Whether data is at risk, and what to do.",
        discussion: """
            Exit status: 0 all is well, 4 degraded (all is served, something is missing), 5 critical (something is not \
            served, or one more failure may lose data).

            EXAMPLE: martlet-adm cluster health
            """)
    @OptionGroup var options: ConnectionOptions

    var verb: String { "cluster-health" }
    func text(_ json: [UInt8]) throws -> String { HealthText.screen(try report(HealthReport.self, json)) }

    func status(_ json: [UInt8]) throws -> ExitStatus {
        switch try report(HealthReport.self, json).health {
        case .ok: .done
        case .degraded: .degraded
        case .critical: .critical
        }
    }
}

struct DurabilityCommand: VerbCommand {
    static let configuration = CommandConfiguration(
        commandName: "durability", abstract: "How likely the loss of an object is, and what limits it.",
        discussion: """
            From the number of replicas, the failure rate of disks (manager.disk_failure_rate), and how long it takes \
            until a lost disk's objects have all their copies again. For what the disks hold now, and for full disks.

            EXAMPLE: martlet-adm durability
            """)
    @OptionGroup var options: ConnectionOptions

    func text(_ json: [UInt8]) throws -> String { DurabilityText.screen(try report(DurabilityReport.self, json)) }
}
