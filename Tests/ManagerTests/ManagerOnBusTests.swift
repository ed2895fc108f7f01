import ClusterState
import FailureDetection
import Foundation
import Logging
import MessageBus
import Model
import Observability
import Synchronization
import Testing
import Wire

@testable import Manager

/// A manager and its peers on real sockets of this host.
@Suite("Manager on the bus", .timeLimit(.minutes(1)))
struct ManagerOnBusTests {
    private static let logger = Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() })
    private static let patience = Duration.seconds(30)

    /// What a process needs to take part.
    private struct Peer {
        let keys = CurveKeyPair.generate()
        let bus: MessageBus
        let directory: URL

        init(_ name: NodeName, _ role: MemberRole, _ peers: any PeerDirectory, keys: CurveKeyPair? = nil) throws {
            directory = FileManager.default.temporaryDirectory.appendingPathComponent("martlet-\(UUID().uuidString)")
            try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
            bus = MessageBus(
                BusConfiguration(
                    name: name, role: role, keyPair: keys ?? self.keys, listen: "tcp://127.0.0.1:0",
                    publish: "tcp://127.0.0.1:0"),
                directory: peers, handler: Refusing(), logger: ManagerOnBusTests.logger, metrics: MetricsRegistry())
            try bus.start()
        }

        /// An administrator's verb.
        func run(_ verb: String, _ arguments: String...) async throws -> [UInt8] {
            try await bus.request(
                .adminCommand, AdminCommand(verb: verb, arguments: arguments), to: "manager",
                timeout: ManagerOnBusTests.patience, answer: AdminResult.self
            ).message.json
        }

        func request(_ name: String, _ role: MemberRole) -> EnrolRequest {
            EnrolRequest(
                name: name, role: role, publicKey: keys.publicKey, address: bus.address,
                publisher: bus.publisherAddress, version: "0.1.0")
        }
    }

    private struct Refusing: RequestHandling {
        func handle(_ request: IncomingRequest, _ responder: Responder) { responder.fail(.unknownType, "") }
    }

    /// A manager with its desk open.
    private final class Running: Sendable {
        let fixture: Fixture
        let keys = CurveKeyPair.generate()
        let adminKeys = CurveKeyPair.generate()
        let bus: MessageBus
        let watch: MemberWatch

        init(verbPatience: Duration = .seconds(30)) async throws {
            var fixture = try await Fixture()
            fixture.now = wallMilliseconds()
            self.fixture = fixture
            let cluster = fixture.cluster
            let desk = ManagerDesk(name: "manager", logger: logger)
            let metrics = MetricsRegistry()
            bus = MessageBus(
                BusConfiguration(
                    name: "manager", role: .manager, keyPair: keys, listen: "tcp://127.0.0.1:0",
                    publish: "tcp://127.0.0.1:0", enrolmentListen: "tcp://127.0.0.1:0"),
                directory: cluster, handler: desk, logger: logger, metrics: metrics)
            try bus.start()
            var base = fixture.context
            base.managerKey = keys.publicKey
            let context = base
            let plan = BirthPlan(
                level: .majority(of: 3), partitions: 16, dataCenter: "",
                manager: MemberRecord(
                    name: "manager", role: .manager, address: bus.address, publisher: bus.publisherAddress,
                    publicKey: keys.publicKey), adminKey: adminKeys.publicKey)
            try await cluster.change { state, edit in try ClusterBirth.ensure(plan, state, &edit, context) }
            watch = MemberWatch(
                cluster, bus: bus, timing: DetectorTiming(downAfter: .seconds(30)), logger: logger, metrics: metrics,
                verbPatience: verbPatience)
            cluster.onChange { [bus] state in bus.publish(.stateChanged, StateChanged(revision: state.revision)) }
            watch.start()
            desk.open(
                ManagerParts(
                    cluster: cluster, bus: bus, watch: watch,
                    leadership: Leadership(cluster.store, name: "manager", logger: logger), base: base, directory: "",
                    logger: logger,
                    metrics: metrics))
        }

        var endpoint: PeerEndpoint {
            PeerEndpoint(
                name: "manager", role: .manager, address: bus.address, publisher: bus.publisherAddress,
                publicKey: keys.publicKey)
        }

        var door: PeerEndpoint {
            PeerEndpoint(name: "door", role: .manager, address: bus.enrolmentAddress, publicKey: keys.publicKey)
        }

        func token(_ options: String...) async throws -> JoinToken {
            var token = try #require(
                JoinToken(
                    ReportCoding.decode(TokenReport.self, from: try await fixture.json("create-token", options)).token))
            token.managerKey = keys.publicKey
            return token
        }

        func stop() async {
            watch.stop()
            await bus.stop()
        }
    }

    /// Waits until the manager's view satisfies a condition; every change of it is looked at.
    private func until(_ manager: Running, _ condition: @escaping @Sendable (ClusterView) -> Bool) async throws {
        let (changes, continuation) = AsyncStream<ClusterView>.makeStream()
        manager.fixture.cluster.onChange { continuation.yield($0.view) }
        continuation.yield(manager.fixture.view)
        for await view in changes where condition(view) { return }
    }

    @Test("A process enrols, mirrors the state, and runs when it is heard")
    func life() async throws {
        let manager = try await Running()
        let peers = StaticPeerDirectory([manager.door, manager.endpoint])
        let peer = try Peer("gateway-1", .gateway, peers)
        let enrolment = try await Enrolment.enrol(
            over: peer.bus, manager: "door", token: try await manager.token(),
            member: peer.request("gateway-1", .gateway),
            dataDirectory: peer.directory.path, timeout: Self.patience)
        #expect(enrolment.masterKey == manager.fixture.masterKey.bytes && enrolment.managerName == "manager")
        #expect(try Enrolment.load(dataDirectory: peer.directory.path) == enrolment)

        let mirror = ClusterStateMirror(
            file: peer.directory.path + "/state", bootstrap: [manager.endpoint], logger: Self.logger)
        mirror.start(bus: peer.bus)
        try await manager.fixture.run("create-user", "alice", as: CreatedUserReport.self)
        try await mirror.waitFor(revision: manager.fixture.view.revision, timeout: Self.patience)
        #expect(mirror.view.user(id: "alice") != nil && mirror.view.members["gateway-1"] != nil)

        let heartbeats = Task {
            while !Task.isCancelled {
                peer.bus.publish(.heartbeat, Heartbeat(name: "gateway-1", role: .gateway, revision: 7, incarnation: 1))
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        try await until(manager) { $0.members["gateway-1"]?.state == .running }
        #expect(manager.watch.liveness["gateway-1"]?.revision == 7)
        heartbeats.cancel()
        mirror.stop()
        await peer.bus.stop()
        await manager.stop()
    }

    /// A gateway that is enrolled and runs, and says of itself what it is told to.
    private func gateway(
        of manager: Running, _ revision: @escaping @Sendable () -> UInt64
    ) async throws -> (Peer, beats: Task<Void, any Error>) {
        let peer = try Peer("gateway-1", .gateway, StaticPeerDirectory([manager.door, manager.endpoint]))
        _ = try await Enrolment.enrol(
            over: peer.bus, manager: "door", token: try await manager.token(),
            member: peer.request("gateway-1", .gateway),
            dataDirectory: peer.directory.path, timeout: Self.patience)
        let beats = Task {
            while !Task.isCancelled {
                let beat = Heartbeat(name: "gateway-1", role: .gateway, revision: revision(), incarnation: 1)
                peer.bus.publish(.heartbeat, beat)
                try await Task.sleep(for: .milliseconds(20))
            }
        }
        try await until(manager) { $0.members["gateway-1"]?.state == .running }
        return (peer, beats)
    }

    @Test("A verb is answered when gateways work with what it has changed")
    func inForce() async throws {
        let manager = try await Running()
        let known = Mutex<ClusterStateMirror?>(nil)
        let (peer, beats) = try await gateway(of: manager) { known.withLock { $0?.view.revision ?? 0 } }
        let mirror = ClusterStateMirror(
            file: peer.directory.path + "/state", bootstrap: [manager.endpoint], logger: Self.logger)
        known.withLock { $0 = mirror }
        mirror.start(bus: peer.bus)
        let admin = try Peer("admin", .admin, StaticPeerDirectory([manager.endpoint]), keys: manager.adminKeys)
        for number in 1...5 {
            let answer = try await admin.run("create-user", "user-\(number)")
            #expect(mirror.view.user(id: "user-\(number)") != nil)
            #expect(try ReportCoding.decode(GatewaysBehind.self, from: answer).gatewaysBehind == nil)
        }
        beats.cancel()
        mirror.stop()
        await admin.bus.stop()
        await peer.bus.stop()
        await manager.stop()
    }

    @Test("A verb names the gateways that it has not waited for any longer")
    func behind() async throws {
        let manager = try await Running(verbPatience: .milliseconds(50))
        let (peer, beats) = try await gateway(of: manager) { 1 }
        let admin = try Peer("admin", .admin, StaticPeerDirectory([manager.endpoint]), keys: manager.adminKeys)
        let answer = try await admin.run("create-user", "alice")
        #expect(try ReportCoding.decode(GatewaysBehind.self, from: answer).gatewaysBehind == ["gateway-1"])
        #expect(try ReportCoding.decode(CreatedUserReport.self, from: answer).userId == "alice")
        beats.cancel()
        await admin.bus.stop()
        await peer.bus.stop()
        await manager.stop()
    }

    @Test("A bad token enrols nobody, and a stranger gets no state")
    func strangers() async throws {
        let manager = try await Running()
        let peer = try Peer("gateway-1", .gateway, StaticPeerDirectory([manager.door, manager.endpoint]))
        var token = try await manager.token()
        token.secret[0] ^= 1
        await #expect(throws: BusError.self) {
            try await Enrolment.enrol(
                over: peer.bus, manager: "door", token: token, member: peer.request("gateway-1", .gateway),
                dataDirectory: peer.directory.path, timeout: Self.patience)
        }
        #expect(try Enrolment.load(dataDirectory: peer.directory.path) == nil)
        await #expect(throws: BusError.self) {
            try await peer.bus.request(
                .fetchState, FetchStateRequest(), to: "manager", timeout: .seconds(2), answer: FetchStateReply.self)
        }
        await peer.bus.stop()
        await manager.stop()
    }

    @Test("The administrator's verbs are answered, and refused with their reason")
    func verbs() async throws {
        let manager = try await Running()
        let admin = try Peer("admin", .admin, StaticPeerDirectory([manager.endpoint]), keys: manager.adminKeys)
        let status = try ReportCoding.decode(StatusReport.self, from: try await admin.run("status"))
        #expect(status.nodeList.map(\.node) == ["manager"])
        let user = try ReportCoding.decode(CreatedUserReport.self, from: try await admin.run("create-user", "alice"))
        _ = try await admin.run("add-bucket", "photos", user.accessKeyId)
        #expect(manager.fixture.view.buckets["photos"]?.owner == "alice")
        _ = try await admin.run("delete-bucket", "photos", user.accessKeyId)
        #expect(manager.fixture.view.buckets.isEmpty)
        let own =
            try JSONSerialization.jsonObject(with: Data(try await admin.run("status", "manager"))) as? [String: Any]
        #expect(own?["role"] as? String == "manager")
        for (verb, arguments, status) in [
            ("nonsense", [], Status.unknownType), ("start", [], .conflict), ("add-bucket", ["x"], .invalidArgument),
            ("du", ["storage-9"], .notFound), ("whereis", ["photos/a"], .notFound),
            ("recover-file", ["a"], .unavailable),
        ] as [(String, [String], Status)] {
            let refusal = await #expect(throws: BusError.self, "\(verb)") {
                try await admin.bus.request(
                    .adminCommand, AdminCommand(verb: verb, arguments: arguments), to: "manager",
                    timeout: Self.patience, answer: AdminResult.self)
            }
            #expect(refusal?.status == status, "\(verb): \(String(describing: refusal))")
        }
        await admin.bus.stop()
        await manager.stop()
    }
}
