import ClusterState
import Logging
import MessageBus
import Model
import Observability
import Synchronization
import Testing
import Wire

@testable import Tap

@Suite(.timeLimit(.minutes(1)))
struct LiveSourceTests {
    /// A manager that knows one gateway: itself.
    struct Manager: RequestHandling {
        let state: @Sendable () -> FetchStateReply

        func handle(_ request: IncomingRequest, _ responder: Responder) {
            if request.type == .fetchState { responder.reply(state()) } else { responder.reply(PingReply()) }
        }
    }

    @Test("the tap finds the processes through the manager and shows what they ask")
    func live() async throws {
        let managerKeys = CurveKeyPair.generate()
        let adminKeys = CurveKeyPair.generate()
        let directory = StaticPeerDirectory([
            PeerEndpoint(name: "admin", role: .admin, address: "", publicKey: adminKeys.publicKey)
        ])
        let member = Member()
        let bus = MessageBus(
            BusConfiguration(
                name: "manager-1", role: .manager, keyPair: managerKeys, listen: "tcp://127.0.0.1:0",
                publish: "tcp://127.0.0.1:0"),
            directory: directory, handler: Manager { FetchStateReply(revision: 1, entries: [member.entry]) },
            logger: Logger(label: "test"), metrics: MetricsRegistry())
        try bus.start()
        let endpoint = PeerEndpoint(
            name: "manager-1", role: .manager, address: bus.address, publisher: bus.publisherAddress,
            publicKey: managerKeys.publicKey)
        directory.set(endpoint)
        member.set(endpoint)
        let source = try LiveSource(
            credentials: AdminCredentials(
                name: "admin", publicKey: adminKeys.publicKey, secretKey: adminKeys.secretKey, manager: endpoint),
            nodes: [])
        try await source.start()
        while !bus.hasAudience(.tap) { await Task.yield() }
        _ = try await bus.request(
            .ping, PingRequest(), to: "manager-1", timeout: .seconds(20), answer: PingReply.self)
        var directions: [TapDirection] = []
        for await case .record(let record) in source.events {
            #expect(record.process == "manager-1" && record.type == .ping)
            directions.append(record.direction)
            if directions.count == 2 { break }
        }
        #expect(directions == [.tapRequest, .tapReply])
        await source.stop()

        let unknown = try LiveSource(
            credentials: AdminCredentials(
                name: "admin", publicKey: adminKeys.publicKey, secretKey: adminKeys.secretKey, manager: endpoint),
            nodes: ["storage-9"])
        await #expect(throws: TapFailure(2, "there is no process storage-9; known are [\"manager-1\"]")) {
            try await unknown.start()
        }
        await unknown.stop()
        await bus.stop()
    }
}

/// The member record that the manager hands out.
private final class Member: Sendable {
    private let record = Mutex<MemberRecord?>(nil)

    func set(_ endpoint: PeerEndpoint) {
        record.withLock {
            $0 = MemberRecord(
                name: endpoint.name.rawValue, role: endpoint.role, address: endpoint.address,
                publisher: endpoint.publisher, publicKey: endpoint.publicKey)
        }
    }

    var entry: StateEntry {
        StateEntry(key: "members/manager-1", value: record.withLock { $0?.encoded() ?? [] }, revision: 1)
    }
}
