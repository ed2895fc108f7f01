import ProcessRuntime
import Storage

await runProcess(role: .storage, name: "storage", settings: StorageSettings.all) { context in
    try await StorageService(context)
}
