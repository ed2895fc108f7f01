import ArgumentParser
import Foundation
import Linearizability

struct VerifyCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks that a recorded history is linearizable, key by key.")

    @Argument(help: "File that `run --history` wrote.", completion: .file())
    var file: String

    func run() throws {
        let history = try readHistory(file)
        let found = HistoryChecker.check(history)
        for (key, verdict) in found { print("\(key): \(verdict)") }
        let keys = Set(history.map(\.key)).count
        print(
            "\(history.count) operations on \(keys) keys: \(found.isEmpty ? "linearizable" : "\(found.count) keys are not")"
        )
        guard found.isEmpty else { throw ExitCode(LoadExit.failed.rawValue) }
    }
}
