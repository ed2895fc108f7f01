import Foundation
import ProcessRuntime
import Storage

if CommandLine.arguments.contains(RebuildIndexCommand.flag) {
    RebuildIndexCommand.main()
    exit(0)
}
await runProcess(role: .storage, name: "storage", settings: StorageSettings.all) { context in
    try await StorageService(context)
}
