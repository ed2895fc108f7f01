import ArgumentParser
import Foundation
import Linearizability
import NIOPosix

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Reads every object of a recorded run again: acknowledged writes must be there, whole.")

    @Argument(help: "File that `run --acknowledged` or `run --history` wrote.", completion: .file())
    var file: String
    @OptionGroup var connection: ConnectionOptions

    func run() async throws {
        let operations = try readHistory(file)
        let byKey = Dictionary(grouping: operations, by: \.key).mapValues { FinalState($0) }
        let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
        let reader = try await ObjectReader(try connection.settings(), bucket: connection.bucket, on: group.next())
        var faults = 0
        for (key, state) in byKey.sorted(by: { $0.key < $1.key }) {
            guard let fault = await reader.fault(key, state) else { continue }
            print("\(key): \(fault)")
            faults += 1
        }
        print("\(byKey.count) keys read again: \(faults == 0 ? "all as they may be" : "\(faults) are not")")
        guard faults == 0 else { throw ExitCode(LoadExit.failed.rawValue) }
    }
}

/// The operations of a file that a run recorded. A line that a crash has cut off is none.
func readHistory(_ path: String) throws -> [HistoryOperation] {
    do {
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let operations = try HistoryFile.decode(text)
        guard text.isEmpty || !operations.isEmpty else {
            throw LoadFailure(.usage, "\(path) is not a recorded history")
        }
        return operations
    } catch let failure as LoadFailure {
        throw failure
    } catch {
        throw LoadFailure(.usage, "\(path) is not a recorded history: \(error)")
    }
}
