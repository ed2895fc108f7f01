import ArgumentParser
import Foundation
import Model

/// `martlet-adm`.
public struct AdminTool: AsyncParsableCommand {
    public static let configuration = CommandConfiguration(
        commandName: "martlet-adm",
        abstract: "Administers a Martlet cluster.",
        discussion: """
            The verbs, their arguments and tables are those of leofs-adm. Every verb takes --json.

            The file admin.toml, which the manager writes at its first start, tells how to reach the cluster: give its \
            path with --admin or in MARTLET_ADMIN.

            Exit status: 0 done, 1 refused by the cluster, 2 wrong usage, 3 the cluster cannot be reached; cluster health: \
            4 degraded, 5 critical.

            EXAMPLES:
              martlet-adm status
              martlet-adm create-user alice
              martlet-adm add-bucket photos 05236a2b41f0c3d9e8b7
              martlet-adm whereis photos/2024/cat.jpg
              martlet-adm --generate-completion-script bash > /etc/bash_completion.d/martlet-adm
            """,
        version: Version.current,
        groupedSubcommands: [
            CommandGroup(
                name: "Cluster",
                subcommands: [
                    VersionCommand.self, StatusCommand.self, ClusterCommand.self, DurabilityCommand.self,
                    StartCommand.self, UpdateConsistencyLevel.self, DumpRing.self, UpdateLogLevel.self,
                    CreateToken.self, StateCommand.self, SuspendNode.self, ResumeNode.self,
                    RemoveNode.self, RemoveGateway.self,
                ]),
            CommandGroup(
                name: "Ring",
                subcommands: [
                    Rebalance.self, RebalanceStatus.self, RebalancePause.self, RebalanceResume.self,
                    RebalanceRollback.self, DetachNode.self, TakeOver.self, RollbackNode.self, WeightNode.self,
                    ZoneNode.self,
                ]),
            CommandGroup(
                name: "Storage",
                subcommands: [
                    WhereisCommand.self, DiskUsage.self, QueueStats.self, QueueSuspend.self, QueueResume.self,
                    CompactStart.self, CompactSuspend.self, CompactResume.self, CompactStatus.self,
                    TasksCommand.self, RecoverFile.self, RecoverConsistency.self, RecoverNode.self,
                    RecoverDisk.self, RecoverRing.self, RepairStatus.self, PurgeTombstones.self,
                    DiskCommand.self,
                    ScrubStart.self, ScrubStatus.self, ScrubSuspend.self, ScrubResume.self, DiagnoseStart.self,
                ]),
            CommandGroup(
                name: "Users",
                subcommands: [
                    CreateUser.self, ImportUser.self, DeleteUser.self, GetUsers.self, UpdateUserRole.self,
                    UpdateUserPassword.self, RevokeTokens.self,
                ]),
            CommandGroup(
                name: "Projects",
                subcommands: [
                    CreateProject.self, DeleteProject.self, GetProjects.self, AddRole.self, RemoveRole.self,
                    GetRoles.self, CreateApplicationCredential.self, DeleteApplicationCredential.self,
                    GetApplicationCredentials.self,
                ]),
            CommandGroup(
                name: "Buckets and endpoints",
                subcommands: [
                    AddBucket.self, DeleteBucket.self, GetBuckets.self, GetBucket.self, ChangeBucketOwner.self,
                    UpdateACL.self, SetBucketQuota.self, SetUserQuota.self, GetUsage.self, AddEndpoint.self,
                    DeleteEndpoint.self, GetEndpoints.self,
                ]),
            CommandGroup(
                name: "Notifications", subcommands: [AddWebhook.self, RemoveWebhook.self, GetWebhooks.self]),
            CommandGroup(
                name: "Encryption",
                subcommands: [
                    CreateEncryptionKey.self, RotateEncryptionKey.self, DisableEncryptionKey.self,
                    EnableEncryptionKey.self, GetEncryptionKeys.self,
                ]),
        ])

    public init() {}

    /// Runs the tool and ends the process with the documented status.
    public static func run() async -> Never {
        do {
            var command = try parseAsRoot(verbFirst(Array(CommandLine.arguments.dropFirst())))
            if var asynchronous = command as? any AsyncParsableCommand {
                try await asynchronous.run()
            } else {
                try command.run()
            }
            Foundation.exit(ExitStatus.done.rawValue)
        } catch let finished as Finished {
            Foundation.exit(finished.status.rawValue)
        } catch let failure as Failure {
            failure.report()
            Foundation.exit(failure.status.rawValue)
        } catch {
            // Help and completion scripts are errors of the parser that are none.
            guard exitCode(for: error) != .success else { exit(withError: error) }
            FileHandle.standardError.write(Data((fullMessage(for: error) + "\n").utf8))
            Foundation.exit(ExitStatus.usage.rawValue)
        }
    }

    /// `martlet-adm --admin FILE status` means the same as `martlet-adm status --admin FILE`.
    static func verbFirst(_ arguments: [String]) -> [String] {
        var index = 0
        while index < arguments.count, arguments[index].hasPrefix("-") {
            switch arguments[index] {
            case "--json": index += 1
            case "--admin", "--timeout": index += 2
            case let word where word.hasPrefix("--admin=") || word.hasPrefix("--timeout="): index += 1
            default: return arguments
            }
        }
        guard index > 0, index < arguments.count else { return arguments }
        return [arguments[index]] + arguments[..<index] + arguments[(index + 1)...]
    }
}
