import ClusterState
import ClusterStore
import Logging
import MessageBus
import Model
import ProcessRuntime
import Synchronization
import Wire

/// Answers the requests that managers get. Each one runs in a task of its own: the bus thread is never kept.
final class ManagerDesk: RequestHandling {
    static let gatewayTimeout = Duration.seconds(3)
    /// An answer is on its way this long before the asker gives up.
    private static let answerTime = Duration.milliseconds(500)

    private let name: NodeName
    private let logger: Logger
    private let parts = Mutex<ManagerParts?>(nil)

    init(name: NodeName, logger: Logger) {
        self.name = name
        self.logger = logger
    }

    /// Requests are served from now on.
    func open(_ parts: ManagerParts) { self.parts.withLock { $0 = parts } }

    func handle(_ request: IncomingRequest, _ responder: Responder) {
        if request.type == .ping {
            return responder.reply(PingReply(name: name.rawValue, version: Version.current))
        }
        guard let parts = parts.withLock({ $0 }) else { return responder.fail(.unavailable, "\(name) is starting") }
        if request.type == .probe { return MemberProbe(bus: parts.bus).handle(request, responder) }
        Task { [logger] in
            do {
                try await Self.answer(request, responder, parts, logger)
            } catch let error as VerbError {
                responder.fail(error.status, error.message)
            } catch let error as BusError {
                responder.fail(error)
            } catch let error as StoreError {
                logger.error("the store fails", metadata: ["error": "\(error)"])
                responder.fail(.unavailable, "the manager's store fails: \(error)")
            } catch {
                logger.error("a request failed", metadata: ["type": "\(request.type)", "error": "\(error)"])
                responder.fail(.internalError, "\(error)")
            }
        }
    }

    private static func answer(
        _ request: IncomingRequest, _ responder: Responder, _ parts: ManagerParts, _ logger: Logger
    ) async throws {
        switch request.type {
        case .fetchState:
            // Other managers may have changed the state: who fetches it must see what was answered anywhere before.
            try await parts.cluster.refresh()
            let known = try request.decoded(FetchStateRequest.self).afterRevision
            let withUsers = request.role == .gateway
            responder.reply(parts.cluster.state.changes(after: known, withUsers: withUsers))
        case .enrol: responder.reply(try await enrol(request, parts, logger))
        case .revokeToken: responder.reply(try await revokeToken(request, parts))
        case .changeAccount: responder.reply(try await changeAccount(request, parts))
        case .changeBucket: responder.reply(try await changeBucket(request, parts))
        case .reportMoves:
            parts.ring.proved(try request.decoded(ReportMovesRequest.self))
            responder.reply(ReportMovesReply())
        case .adminCommand:
            let command = try request.decoded(AdminCommand.self)
            logger.notice("an administrator's verb", metadata: ["verb": "\(command.verb)"])
            responder.reply(AdminResult(json: try await run(command, parts, until: request.deadline)))
        case .nodeCommand:
            let command = try request.decoded(AdminCommand.self)
            guard let json = try await parts.commands.run(command.verb, command.arguments) else {
                throw VerbError(.unknownType, "unknown verb \(command.verb)")
            }
            responder.reply(AdminResult(json: json))
        default: responder.fail(.unknownType, "a manager does not serve \(request.type)")
        }
    }

    private static func enrol(_ request: IncomingRequest, _ parts: ManagerParts, _ logger: Logger) async throws
        -> EnrolReply
    {
        let body = try request.decoded(EnrolRequest.self)
        let context = parts.context()
        try await parts.cluster.refresh()
        do {
            return try await parts.cluster.change { state, edit in
                if request.role == .roleUnspecified { return try EnrolmentDesk.enrol(body, state, &edit, context) }
                return try EnrolmentDesk.announce(body, from: request.sender, state, &edit, context)
            }
        } catch let error as VerbError {
            logger.warning("enrolment refused", metadata: ["name": "\(body.name)", "reason": "\(error.message)"])
            throw error
        }
    }

    private static func revokeToken(_ request: IncomingRequest, _ parts: ManagerParts) async throws
        -> RevokeTokenReply
    {
        let body = try request.decoded(RevokeTokenRequest.self)
        let context = parts.context()
        try await parts.cluster.refresh()
        try await parts.cluster.change { state, edit in
            try IdentityChanges.revoke(body, state, &edit, context)
        }
        let revision = parts.cluster.view.revision
        // Who asked must not be told before it holds everywhere, if that is in our power.
        await parts.watch.gatewaysReach(revision, except: request.sender, timeout: gatewayTimeout)
        return RevokeTokenReply(revision: revision)
    }

    private static func changeAccount(_ request: IncomingRequest, _ parts: ManagerParts) async throws
        -> ChangeAccountReply
    {
        let body = try request.decoded(ChangeAccountRequest.self)
        let context = parts.context()
        try await parts.cluster.refresh()
        try await parts.cluster.change { state, edit in
            try IdentityChanges.changeAccount(body, state, &edit, context)
        }
        let revision = parts.cluster.view.revision
        // A key for temporary addresses, say, is good at every gateway for who has set it at one.
        await parts.watch.gatewaysReach(revision, except: request.sender, timeout: gatewayTimeout)
        return ChangeAccountReply(revision: revision)
    }

    private static func changeBucket(_ request: IncomingRequest, _ parts: ManagerParts) async throws
        -> ChangeBucketReply
    {
        let body = try request.decoded(ChangeBucketRequest.self)
        guard request.role == .repair || ![.bucketRemovalFinish, .bucketRemovalCancel].contains(body.change) else {
            throw VerbError(.forbidden, "only the repair process ends a removal")
        }
        let context = parts.context()
        try await parts.cluster.refresh()
        var reply = try await parts.cluster.change { state, edit in
            try BucketChanges.apply(body, state, &edit, context)
        }
        reply.revision = parts.cluster.view.revision
        // Who lists the bucket next must not be overtaken by an object that another gateway still lets in.
        if body.change == .bucketDeleteBegin, reply.outcome == .bucketChanged {
            await parts.watch.gatewaysReach(reply.revision, except: request.sender, timeout: gatewayTimeout)
        }
        return reply
    }

    static func run(
        _ command: AdminCommand, _ parts: ManagerParts, until deadline: ContinuousClock.Instant
    ) async throws -> [UInt8] {
        let (verb, arguments) = (command.verb, command.arguments)
        try await bringUpToDate(for: verb, parts)
        if let node = arguments.first.map({ NodeName($0) }), NodeVerbs.toNode.contains(verb) {
            return try await parts.nodes.forward(verb, to: node, Array(arguments.dropFirst()), until: deadline)
        }
        if NodeVerbs.toRepair.contains(verb) {
            return try await parts.nodes.forwardToRepair(verb, arguments, until: deadline)
        }
        if TaskVerbs.changes.contains(verb) {
            return try await TaskVerbs(nodes: parts.nodes).change(verb, arguments, until: deadline)
        }
        switch verb {
        case "tasks": return try ReportCoding.encode(await TaskVerbs(nodes: parts.nodes).report())
        case "cluster-health": return try ReportCoding.encode(await SurveyVerbs(parts: parts).health())
        case "durability": return try ReportCoding.encode(await SurveyVerbs(parts: parts).durability())
        case "state-export":
            let context = parts.context()
            let page = try parts.export.page(arguments, parts.cluster.state, now: context.now)
            return try ReportCoding.encode(page)
        case "rebalance" where arguments == ["dry-run"]:
            return try ReportCoding.encode(await RebalancePreview(parts: parts).report())
        case "rebalance-status": return try ReportCoding.encode(parts.ring.report())
        case "whereis":
            let report = try await Whereis(bus: parts.bus, view: parts.cluster.view).run(path: arguments.first ?? "")
            return try ReportCoding.encode(report)
        case "get-webhooks": return try ReportCoding.encode(await WebhookSurvey(nodes: parts.nodes).report())
        case "get-usage": return try ReportCoding.encode(await UsageVerb(parts: parts).report())
        case "delete-bucket":
            guard arguments.count == 2 || (arguments.count == 3 && arguments[2] == "force") else {
                throw usage(verb, "BUCKET ACCESS-KEY-ID [force]")
            }
            let call = VerbCall(arguments: arguments, state: parts.cluster.state, context: parts.context())
            try await parts.deletion.run(call)
            return try ReportCoding.encode(DoneReport())
        default: return try await runStateVerb(verb, arguments, parts, until: deadline)
        }
    }

    /// While the store fails, what only reads is answered from what was known last.
    private static func bringUpToDate(for verb: String, _ parts: ManagerParts) async throws {
        do { try await parts.cluster.refresh() } catch  where StateVerb.all[verb]?.onlyReads ?? true {}
    }

    private static func runStateVerb(
        _ name: String, _ arguments: [String], _ parts: ManagerParts, until deadline: ContinuousClock.Instant
    ) async throws -> [UInt8] {
        guard let verb = StateVerb.all[name] else { throw VerbError(.unknownType, "unknown verb \(name)") }
        guard verb.argumentCounts.contains(arguments.count) else { throw usage(name, verb.usage) }
        let context = parts.context()
        let report = try await parts.cluster.change { state, edit in
            try verb.run(VerbCall(arguments: arguments, state: state, context: context), &edit)
        }
        guard !verb.onlyReads else { return try ReportCoding.encode(report) }
        // Who has made a user or a key may use it at any gateway at once.
        let patience = min(parts.watch.verbPatience, deadline - .now - answerTime)
        let behind = await parts.watch.gatewaysReach(parts.cluster.view.revision, timeout: patience)
        return try ReportCoding.encode(ChangeReport(report, gatewaysBehind: behind.map(\.rawValue)))
    }

    private static func usage(_ verb: String, _ arguments: String) -> VerbError {
        VerbError(.invalidArgument, "arguments: \(verb) \(arguments)")
    }
}
