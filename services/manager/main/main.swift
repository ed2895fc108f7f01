import Foundation
import Manager

await runOfflineCommand(Array(CommandLine.arguments.dropFirst()))
await runManager()
