import ProcessRuntime
import Replicator

await runProcess(role: .replicator, name: "replicator", settings: ReplicatorSettings.all) {
    try ReplicatorService($0)
}
