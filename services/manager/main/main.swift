import Foundation
import Manager

let arguments = Array(CommandLine.arguments.dropFirst())
switch arguments.first {
case MigrateStoreCommand.configuration.commandName: await MigrateStoreCommand.main(Array(arguments.dropFirst()))
case RestoreStateCommand.configuration.commandName: await RestoreStateCommand.main(Array(arguments.dropFirst()))
default: await runManager()
}
