import ArgumentParser
import Foundation
import Linearizability

struct VerifyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "verify", abstract: "Checks a history of --history: is every key linearizable?",
        discussion: "example: martlet-load verify history.jsonl")

    @Argument(help: "File that martlet-load run --history wrote.")
    var file: String
    @Flag(help: "Print the result as one JSON object.")
    var json = false

    private struct Result: Codable {
        var operations: Int
        var keys: Int
        var violations: [String: String]
    }

    func run() async throws {
        guard let data = FileManager.default.contents(atPath: file) else {
            throw LoadError.usage("cannot read \(file)")
        }
        let history = try HistoryFile.decode(String(decoding: data, as: UTF8.self))
        let faults = HistoryChecker.check(history).map { ($0.key, Self.text($0.verdict)) }
        let result = Result(
            operations: history.count, keys: Set(history.map(\.key)).count,
            violations: Dictionary(uniqueKeysWithValues: faults))
        if json {
            print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
        } else {
            for (key, text) in faults { print("\(key): \(text)") }
            print("\(result.operations) operations on \(result.keys) keys, \(faults.count) keys not linearizable")
        }
        if !faults.isEmpty { throw ExitCode(1) }
    }

    private static func text(_ verdict: HistoryVerdict) -> String {
        switch verdict {
        case .linearizable: "linearizable"
        case .violation(let why): why
        case .undecided: "too entangled to decide within the budget"
        }
    }
}
