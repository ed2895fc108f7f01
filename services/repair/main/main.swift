import ProcessRuntime
import Repair

await runProcess(role: .repair, name: "repair", settings: RepairSettings.all) {
    try RepairService($0)
}
