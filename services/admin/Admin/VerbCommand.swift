import ArgumentParser
import ClusterState
import Foundation

/// A verb that is one request to the manager.
protocol VerbCommand: AsyncParsableCommand {
    var options: ConnectionOptions { get }
    var verb: String { get }
    var verbArguments: [String] { get }
    /// What people see of the answer; without a line end.
    func text(_ json: [UInt8]) throws -> String
    /// How the process ends after this answer.
    func status(_ json: [UInt8]) throws -> ExitStatus
}

extension VerbCommand {
    var verb: String { Self.configuration.commandName ?? "" }
    var verbArguments: [String] { [] }

    func text(_ json: [UInt8]) throws -> String { "OK" }
    func status(_ json: [UInt8]) throws -> ExitStatus { .done }

    mutating func run() async throws { try await perform() }

    /// Sends the verb and prints its answer.
    /// - Parameter arguments: in place of ``verbArguments``.
    func perform(with arguments: [String]? = nil) async throws {
        let json = try await options.call(verb, arguments ?? verbArguments)
        try print(options.json ? String(decoding: json, as: UTF8.self) : text(json))
        warn(json)
        let status = try status(json)
        if status != .done { throw Finished(status: status) }
    }

    /// Says on standard error which gateways do not work with the change yet.
    private func warn(_ json: [UInt8]) {
        guard let behind = try? ReportCoding.decode(GatewaysBehind.self, from: json).gatewaysBehind else { return }
        let names = behind.joined(separator: ", ")
        FileHandle.standardError.write(
            Data("done, but not heard of yet by \(names): what was changed may be unknown there for a while\n".utf8))
    }
}

/// Decodes a report, in a renderer.
func report<Report: Decodable>(_ type: Report.Type, _ json: [UInt8]) throws -> Report {
    do { return try ReportCoding.decode(type, from: json) } catch {
        throw Failure(.refused, "the answer is not understood; versions may differ (--json shows it): \(error)")
    }
}
