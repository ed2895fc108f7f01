import ArgumentParser
import ClusterState
import Foundation
import Logging
import MessageBus
import Model
import Observability
import Wire

/// Options of every verb.
struct ConnectionOptions: ParsableArguments {
    @Flag(help: "Print the answer as JSON; its keys are stable.")
    var json = false
    @Option(
        help: ArgumentHelp("The administrator's file. Default: $MARTLET_ADMIN.", valueName: "file"),
        completion: .file(extensions: ["toml"]))
    var admin: String?
    @Option(help: ArgumentHelp("How long to wait for the answer.", valueName: "seconds"))
    var timeout = 30

    private static let pingTimeout = Duration.seconds(1)

    func validate() throws {
        guard (1...3600).contains(timeout) else { throw ValidationError("--timeout is from 1 to 3600 seconds") }
    }

    /// Sends a verb to a manager; its answer is JSON.
    func call(_ verb: String, _ arguments: [String]) async throws -> [UInt8] {
        let credentials = try credentials()
        guard let keys = credentials.keyPair else { throw Failure(.usage, "the administrator's key is malformed") }
        let configuration = BusConfiguration(
            name: credentials.name, role: .admin, keyPair: keys, security: credentials.encrypted ? .curve : .none)
        let bus = MessageBus(
            configuration, directory: StaticPeerDirectory(credentials.managers), handler: NoRequests(),
            logger: Logger(label: "martlet-adm", factory: { _ in SwiftLogNoOpLogHandler() }),
            metrics: MetricsRegistry())
        try bus.start()
        let outcome: Result<[UInt8], BusError>
        do throws(BusError) {
            let command = AdminCommand(verb: verb, arguments: arguments)
            let reply = try await bus.request(
                .adminCommand, command, to: await Self.living(credentials.managers, bus), timeout: .seconds(timeout),
                answer: AdminResult.self)
            outcome = .success(reply.message.json)
        } catch { outcome = .failure(error) }
        await bus.stop()
        return try outcome.mapError { Failure($0, asJSON: json) }.get()
    }

    /// The first manager that answers. A verb itself is sent to one only: it might be done twice.
    private static func living(_ managers: [PeerEndpoint], _ bus: MessageBus) async -> NodeName {
        for manager in managers.dropLast() {
            let answer = try? await bus.request(
                .ping, PingRequest(), to: manager.name, timeout: pingTimeout, answer: PingReply.self)
            if answer != nil { return manager.name }
        }
        return managers[managers.count - 1].name
    }

    private func credentials() throws -> AdminCredentials {
        let variable = ProcessInfo.processInfo.environment[AdminCredentials.environmentVariable]
        guard let path = admin ?? variable else {
            throw Failure(
                .usage, "no administrator's file: give --admin FILE or set \(AdminCredentials.environmentVariable)",
                asJSON: json)
        }
        do { return try AdminCredentials(path: path) } catch { throw Failure(.usage, "\(error)", asJSON: json) }
    }
}

/// The tool asks and is never asked.
private struct NoRequests: RequestHandling {
    func handle(_ request: IncomingRequest, _ responder: Responder) {
        responder.fail(.unknownType, "the administrator serves no requests")
    }
}
