import Configuration
import Foundation
import Logging
import MessageBus
import Model
import Observability
import Synchronization
import Wire

/// A member of the cluster for as long as a tool runs: joins as every process does, and leaves its membership behind, so
/// that the same folder can come again. Reads no command line and ends no process.
public struct ClusterVisit: Sendable {
    public struct Refused: Error, CustomStringConvertible {
        public let description: String
    }

    /// How long joining may take.
    static let patience = Duration.seconds(20)

    private let foundation: ProcessFoundation

    /// Locks the data directory.
    /// - Parameters:
    ///   - file: TOML file of a process of this role: tells where the managers are, and the token.
    ///   - flags: `KEY=VALUE` each, over the file's.
    public init(role: MemberRole, file: String?, flags: [String], signals: TerminationSignals) throws(Refused) {
        let configuration = try Self.configuration(file, flags)
        let name = NodeName(configuration[CommonSettings.name])
        guard name.isValid else { throw Refused(description: "node.name: \"\(name)\" is not a valid name") }
        do throws(DataDirectory.Refused) {
            let directory = try DataDirectory(path: configuration[CommonSettings.data], role: role.word)
            foundation = ProcessFoundation(
                configuration: configuration, name: name, role: role, directory: directory,
                logger: Logger(label: "martlet.\(role.word)", factory: { _ in SwiftLogNoOpLogHandler() }),
                metrics: MetricsRegistry(), signals: signals)
        } catch {
            throw Refused(description: error.description)
        }
    }

    private static func configuration(_ file: String?, _ flags: [String]) throws(Refused) -> Configuration {
        let loader = ConfigurationLoader(
            settings: CommonSettings.local + CommonSettings.joining, foreignSections: CommonSettings.serviceSections)
        do throws(ConfigurationError) {
            return try loader.load(file: file, flags: flags)
        } catch {
            throw Refused(description: "\(error)")
        }
    }

    /// Runs the body as a member.
    public func run(_ body: @Sendable (ProcessContext) async throws -> Void) async throws {
        let context = Mutex<ProcessContext?>(nil)
        let process = ClusterProcess(foundation) { made in
            context.withLock { $0 = made }
            return Visitor()
        }
        do {
            try await joined(process)
            guard let context = context.withLock({ $0 }) else {
                throw Refused(description: "the process did not start")
            }
            try await body(context)
        } catch {
            await process.stop()
            throw error
        }
        await process.stop()
    }

    private func joined(_ process: ClusterProcess) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await process.start() }
            group.addTask {
                try await Task.sleep(for: Self.patience)
                throw Refused(description: "no manager has answered in \(Self.patience)")
            }
            defer { group.cancelAll() }
            try await group.next()
        }
    }
}

/// A member that serves nothing.
private struct Visitor: ProcessService {
    func start() async throws {}
    func handle(_ request: IncomingRequest, _ responder: Responder) {
        responder.fail(.unknownType, "a tool serves no requests")
    }
    func command(_ verb: String, _ arguments: [String]) async throws -> [UInt8]? { nil }
    func readiness() async -> [String: Bool] { [:] }
    func stop() async {}
}
