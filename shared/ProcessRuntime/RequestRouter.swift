import ClusterState
import Logging
import MessageBus
import Model
import Synchronization
import Wire

/// Hands requests to the common commands or to the service; refuses them while the process starts.
final class RequestRouter: RequestHandling {
    private struct Open: Sendable {
        var commands: CommonCommands
        var service: any ProcessService
        var probe: MemberProbe
        var mirror: ClusterStateMirror
    }

    private let name: NodeName
    private let logger: Logger
    private let opened = Mutex<Open?>(nil)

    init(name: NodeName, logger: Logger) {
        self.name = name
        self.logger = logger
    }

    func open(
        _ commands: CommonCommands, _ service: any ProcessService, bus: any RequestSending, _ mirror: ClusterStateMirror
    ) {
        opened.withLock {
            $0 = Open(commands: commands, service: service, probe: MemberProbe(bus: bus), mirror: mirror)
        }
    }

    func handle(_ request: IncomingRequest, _ responder: Responder) {
        guard let open = opened.withLock({ $0 }) else { return responder.fail(.unavailable, "\(name) is starting") }
        if request.type == .ping {
            return responder.reply(PingReply(name: name.rawValue, version: Version.current))
        }
        if request.type == .probe { return open.probe.handle(request, responder) }
        if request.type == .fetchState { return Self.placement(open.mirror, request, responder) }
        guard request.type == .nodeCommand else { return open.service.handle(request, responder) }
        Task { await Self.run(open.commands, request, responder, logger) }
    }

    /// Managers tell the whole state; a process only what others need to find what is stored.
    private static func placement(
        _ mirror: ClusterStateMirror, _ request: IncomingRequest, _ responder: Responder
    ) {
        do {
            responder.reply(mirror.placement(for: try request.decoded(FetchStateRequest.self)))
        } catch {
            responder.fail(.malformed, "\(error)")
        }
    }

    private static func run(
        _ commands: CommonCommands, _ request: IncomingRequest, _ responder: Responder, _ logger: Logger
    ) async {
        do {
            let command = try request.decoded(AdminCommand.self)
            guard let json = try await commands.run(command.verb, command.arguments) else {
                return responder.fail(.unknownType, "unknown verb \(command.verb)")
            }
            responder.reply(AdminResult(json: json))
        } catch let error as BusError {
            responder.fail(error)
        } catch {
            logger.warning("a command failed", metadata: ["error": "\(error)"])
            responder.fail(.internalError, "\(error)")
        }
    }
}
