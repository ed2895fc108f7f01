import ProcessRuntime
import Repair

await runProcess(role: .repair, name: "repair", settings: RepairSettings.all) {
    RepairService($0)
}
