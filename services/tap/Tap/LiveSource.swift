import ClusterState
import Logging
import MessageBus
import Model
import Observability
import Synchronization
import Wire

/// The records of a running cluster: listens to all its processes, or to those that were named.
final class LiveSource: Sendable {
    enum Event: Sendable {
        case record(TapRecord)
        /// So many were lost between this process and us.
        case lost(UInt64, NodeName)
    }

    let events: AsyncStream<Event>
    private let continuation: AsyncStream<Event>.Continuation
    private let managers: [PeerEndpoint]
    private let nodes: Set<NodeName>
    private let directory: StaticPeerDirectory
    private let bus: MessageBus
    private let listened = Mutex<Set<NodeName>>([])
    private let refreshing = Mutex<Task<Void, Never>?>(nil)

    /// Records that wait to be shown; older ones are given up.
    private static let buffer = 100_000
    private static let refreshInterval: Duration = .seconds(2)

    init(credentials: AdminCredentials, nodes: [NodeName]) throws {
        guard let keys = credentials.keyPair else { throw TapFailure(2, "the administrator's key is malformed") }
        (events, continuation) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(Self.buffer))
        managers = credentials.managers
        self.nodes = Set(nodes)
        directory = StaticPeerDirectory(credentials.managers)
        bus = MessageBus(
            BusConfiguration(
                name: credentials.name, role: .admin, keyPair: keys, security: credentials.encrypted ? .curve : .none),
            directory: directory, handler: NoRequests(),
            logger: Logger(label: "martlet-tap", factory: { _ in SwiftLogNoOpLogHandler() }),
            metrics: MetricsRegistry())
    }

    /// Finds the members and listens; keeps looking for new ones and for those that move.
    func start() async throws {
        do { try bus.start() } catch { throw TapFailure(3, "\(error)") }
        let found = try await members()
        if let stranger = nodes.subtracting(found.map(\.name)).sorted().first {
            throw TapFailure(2, "there is no process \(stranger); known are \(found.map(\.name.rawValue).sorted())")
        }
        listen(to: found)
        refreshing.withLock {
            $0 = Task { [weak self] in
                while !Task.isCancelled {
                    try? await Task.sleep(for: Self.refreshInterval)
                    guard let self else { return }
                    // Without a manager the tap goes on with the members that it knows.
                    if let found = try? await members() { listen(to: found) }
                }
            }
        }
    }

    /// As the first manager knows them that answers.
    private func members() async throws -> [PeerEndpoint] {
        var reasons: [String] = []
        for manager in managers {
            do throws(BusError) {
                let state = try await bus.request(
                    .fetchState, FetchStateRequest(afterRevision: 0), to: manager.name, timeout: .seconds(10),
                    answer: FetchStateReply.self)
                return state.message.entries.compactMap(Self.member)
            } catch {
                reasons.append("the manager \(manager.name) at \(manager.address) does not answer: \(error)")
            }
        }
        throw TapFailure(3, reasons.joined(separator: "; "))
    }

    static func member(_ entry: StateEntry) -> PeerEndpoint? {
        guard entry.key.hasPrefix("members/"), !entry.deleted, let record = try? MemberRecord(decoding: entry.value),
            !record.publisher.isEmpty
        else { return nil }
        return PeerEndpoint(
            name: NodeName(record.name), role: record.role, address: record.address, publisher: record.publisher,
            publicKey: record.publicKey)
    }

    private func listen(to found: [PeerEndpoint]) {
        for endpoint in found where nodes.isEmpty || nodes.contains(endpoint.name) {
            // Managers are where the administrator's file says.
            if !managers.contains(where: { $0.name == endpoint.name }) { directory.set(endpoint) }
            guard listened.withLock({ $0.insert(endpoint.name).inserted }) else { continue }
            _ = bus.subscribe(to: endpoint.name, [.tap]) { [weak self] in self?.hear($0) }
        }
    }

    private func hear(_ publication: Publication) {
        if publication.missed > 0 { continuation.yield(.lost(publication.missed, publication.sender)) }
        guard let record = try? TapRecord(decoding: publication.body) else { return }
        continuation.yield(.record(record))
    }

    /// Ends ``events`` after what has arrived.
    func finish() { continuation.finish() }

    func stop() async {
        refreshing.withLock { $0?.cancel() }
        await bus.stop()
    }
}

/// The tool asks and is never asked.
private struct NoRequests: RequestHandling {
    func handle(_ request: IncomingRequest, _ responder: Responder) {
        responder.fail(.unknownType, "martlet-tap serves no requests")
    }
}
