import Foundation
import ProcessRuntime
import Storage

if CommandLine.arguments.contains(RebuildIndexCommand.flag) {
    RebuildIndexCommand.main()
    exit(0)
}
if CommandLine.arguments.dropFirst().first == InspectCommand.verb {
    InspectCommand.main(Array(CommandLine.arguments.dropFirst(2)))
    exit(0)
}
await runProcess(role: .storage, name: "storage", settings: StorageSettings.all) { context in
    try await StorageService(context)
}
