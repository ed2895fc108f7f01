import ArgumentParser
import Foundation
import ProcessRuntime

struct BusCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "bus",
        abstract: "Sends messages straight to storage nodes: what they can do without gateway and HTTP.",
        discussion: """
            The tool joins the cluster as a gateway that serves nobody: with a folder of its own, the token that the \
            configuration of a gateway names, and the place of the manager from there. A put is stage and commit of one register \
            with its content, a get a quorum read; what was put this way S3 can read. `ping` measures the bus alone.

            The folder keeps the identity, and the cluster's master key as that of every gateway does; the same folder can be \
            used again. To forget it: `martlet-adm remove-gateway NAME`, and remove the folder.

            EXAMPLES:
              martlet-load bus --mix ping --concurrency 64 --duration 5s
              martlet-load bus --mix put --size 4KiB --count 20000 --bucket load
              martlet-load bus --mix get=90,put=10 --prepare --keys 5000 --json
              martlet-load bus --config gateway.toml --data /var/tmp/load --set bus.advertise_host=10.0.0.7
            """)

    @Option(help: "What to do: ping, put, get, head, delete, list, mixed, or shares: put=30,get=60,ping=10.")
    var mix = "mixed"
    @Option(help: "Bucket, which must exist.")
    var bucket = "load"
    @Option(
        help: ArgumentHelp(
            "Configuration of a gateway of the cluster. Default: that of the cluster in $MARTLET_DATA.",
            valueName: "file"),
        completion: .file(extensions: ["toml"]))
    var config: String?
    @Option(
        help: ArgumentHelp(
            "Folder for the identity of this tool. Default: data/NAME of the cluster in $MARTLET_DATA.",
            valueName: "folder"),
        completion: .directory)
    var data: String?
    @Option(help: "Name in the cluster, for one such tool at a time.")
    var name = "load"
    @Option(help: ArgumentHelp("Another setting, over the configuration's; repeatable.", valueName: "key=value"))
    var set: [String] = []
    @OptionGroup(title: "Workload") var workload: WorkloadOptions
    @OptionGroup(title: "Run") var running: RunningOptions

    func validate() throws {
        guard (1...4096).contains(workload.concurrency) else { throw ValidationError("--concurrency: 1 to 4096") }
        _ = try plan()
    }

    func run() async throws {
        let plan = try plan()
        let signals = TerminationSignals()
        let preparation = workload.prepare ? plan.preparing() : nil
        do {
            let visit = try ClusterVisit(role: .gateway, file: try file(), flags: try flags(), signals: signals)
            try await visit.run { context in
                let targets = try await BusTargets(context)
                try await running.run(plan, over: targets, preparing: preparation, signals: signals)
            }
        } catch let refused as ClusterVisit.Refused {
            throw LoadFailure(.unreachable, refused.description)
        }
    }

    private func plan() throws -> LoadPlan {
        let plan = try workload.plan(mix: mix, known: BusTargets.operations, bucket: bucket, running)
        guard plan.sizes.largest <= StoredObject.sizeMax else {
            throw ValidationError("--size: at most 1MiB, what travels with its register")
        }
        return plan
    }

    private var cluster: String? { ProcessInfo.processInfo.environment["MARTLET_DATA"] }

    private func file() throws -> String {
        guard let path = config ?? cluster.map({ $0 + "/config/gateway.toml" }) else {
            throw ValidationError("--config is needed, or MARTLET_DATA")
        }
        return path
    }

    /// The gateway's own name, folder and addresses are not ours.
    private func flags() throws -> [String] {
        guard let folder = data ?? cluster.map({ "\($0)/data/\(name)" }) else {
            throw ValidationError("--data is needed, or MARTLET_DATA")
        }
        let own = [
            "node.name=\(name)", "node.data=\(folder)", "bus.listen=tcp://127.0.0.1:0",
            "bus.publish=tcp://127.0.0.1:0", "admin.listen=127.0.0.1:0",
        ]
        return own + set
    }
}
