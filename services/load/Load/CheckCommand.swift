import ArgumentParser
import Foundation
import NIOCore
import NIOPosix

struct CheckCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check",
        abstract: "Reads back what --acknowledged noted: is every acknowledged object there, whole?",
        discussion: "example: martlet-load check acknowledged.jsonl --bucket load")

    @Argument(help: "File that martlet-load run --acknowledged wrote.")
    var file: String
    @OptionGroup var targetOptions: TargetOptions
    @Flag(help: "Print the result as one JSON object.")
    var json = false

    private struct Result: Codable {
        var keys: Int
        var faults: [String: String]
    }

    func run() async throws {
        let expected = AcknowledgedFile.expectations(try AcknowledgedFile.read(path: file))
        let client = S3LoadClient(
            target: try targetOptions.target(), group: MultiThreadedEventLoopGroup.singleton, timeout: .seconds(30))
        defer { client.close() }
        var result = Result(keys: expected.count, faults: [:])
        for (key, lines) in expected.sorted(by: { $0.key < $1.key }) {
            result.faults[key] = try await Self.fault(key, lines, client)
        }
        if json {
            print(String(decoding: try JSONEncoder().encode(result), as: UTF8.self))
        } else {
            for (key, fault) in result.faults.sorted(by: { $0.key < $1.key }) { print("\(key): \(fault)") }
            print("\(result.keys) keys, \(result.faults.count) faults")
        }
        if !result.faults.isEmpty { throw ExitCode(1) }
    }

    /// What is wrong with a key; nil when it holds one of the versions that it may hold.
    private static func fault(
        _ key: String, _ lines: [AcknowledgedFile.Line], _ client: S3LoadClient
    ) async throws -> String? {
        let answer = try await client.send(.GET, key: key)
        switch answer.status {
        case .ok:
            let whole = lines.contains {
                guard let size = $0.size, size == answer.body.readableBytes else { return false }
                return ObjectContent(key: key, version: $0.version, size: size).matches(answer.body)
            }
            return whole ? nil : "\(answer.body.readableBytes) bytes of none of the versions that it may hold"
        case .notFound:
            // Absent is right when nothing was acknowledged, or a delete was, or may have happened since.
            let mayBeAbsent = lines.contains { $0.size == nil } || !lines.contains { $0.acknowledged }
            return mayBeAbsent ? nil : "an acknowledged object is lost"
        default: return "answered \(answer.status.code)"
        }
    }
}
