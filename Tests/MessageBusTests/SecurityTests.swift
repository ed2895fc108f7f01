import MessageBus
import Model
import NIOCore
import Testing
import Wire

@Suite(.timeLimit(.minutes(1)))
struct SecurityTests {
    @Test("a key that is not enrolled can neither send nor listen, until it is enrolled")
    func unknownKey() async throws {
        try await withCluster { cluster in
            let storage = try cluster.start("storage-1", .storage)
            let known = StaticPeerDirectory([storage.endpoint()])
            let stranger = TestPeer("gateway-1", .gateway, directory: known, listen: nil)
            try cluster.add(stranger)
            #expect(await stranger.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(20)) == .unreachable)
            let heard = Mailbox<Publication>()
            _ = stranger.bus.subscribe(to: "storage-1", [.hintsAdded]) { heard.put($0) }
            while storage.rejectedHandshakes < 2 { await Task.yield() }
            storage.bus.publish(.hintsAdded, HintsAdded(total: 1))

            cluster.directory.set(
                PeerEndpoint(name: "gateway-1", role: .gateway, address: "", publicKey: stranger.keys.publicKey))
            while await stranger.bus.refusal(of: .ping, to: "storage-1") != nil { await Task.yield() }
            let listening = Task {
                while !Task.isCancelled {
                    storage.bus.publish(.hintsAdded, HintsAdded(total: 2))
                    try? await Task.sleep(for: .milliseconds(5))
                }
            }
            let first = try #require(await heard.next())
            listening.cancel()
            #expect(try HintsAdded(decoding: first.body).total == 2)
        }
    }

    @Test("a server that does not hold the expected key is not talked to")
    func wrongServer() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            let storage = try cluster.start("storage-1", .storage)
            var endpoint = storage.endpoint()
            endpoint.publicKey = CurveKeyPair.generate().publicKey
            cluster.directory.set(endpoint)
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(20)) == .unreachable)
        }
    }

    @Test("a process cannot speak in the name of another one")
    func borrowedName() async throws {
        try await withCluster { cluster in
            _ = try cluster.start("storage-1", .storage)
            let gateway = try cluster.start("gateway-1", .gateway)
            let impostor = TestPeer(
                "manager-1", .manager, directory: cluster.directory, listen: nil, keys: gateway.keys)
            try cluster.add(impostor)
            #expect(await impostor.bus.refusal(of: .ping, to: "storage-1") == .forbidden)
        }
    }

    @Test("a member that is removed is refused at once, on the connection that it has")
    func removed() async throws {
        try await withCluster { cluster in
            let storage = try cluster.start("storage-1", .storage)
            let gateway = TestPeer(
                "gateway-1", .gateway, directory: StaticPeerDirectory([storage.endpoint()]), listen: nil)
            try cluster.add(gateway)
            cluster.directory.set(
                PeerEndpoint(name: "gateway-1", role: .gateway, address: "", publicKey: gateway.keys.publicKey))
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1") == nil)
            cluster.directory.remove("gateway-1")
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1") == .forbidden)
        }
    }

    @Test("the enrolment socket admits any key and dispatches ENROL only")
    func enrolment() async throws {
        try await withCluster { cluster in
            let roles = Mailbox<MemberRole>()
            let manager = try cluster.start(
                "manager-1", .manager,
                handler: Handler { request, responder in
                    roles.put(request.role)
                    responder.reply(EnrolReply(clusterId: "c1"))
                }
            ) { $0.enrolmentListen = "tcp://127.0.0.1:0" }
            let door = PeerEndpoint(
                name: "manager-1", role: .manager, address: manager.bus.enrolmentAddress,
                publicKey: manager.keys.publicKey)
            let newcomer = TestPeer("storage-7", .storage, directory: StaticPeerDirectory([door]), listen: nil)
            try cluster.add(newcomer)
            let answer = try await newcomer.bus.request(
                .enrol, EnrolRequest(name: "storage-7"), to: "manager-1", timeout: .seconds(20), answer: EnrolReply.self
            )
            #expect(answer.message.clusterId == "c1")
            #expect(await roles.next() == .roleUnspecified)
            #expect(await newcomer.bus.refusal(of: .fetchState, to: "manager-1") == .forbidden)
            #expect(await newcomer.bus.refusal(of: .ping, to: "manager-1") == .forbidden)
        }
    }
}

extension TestPeer {
    var rejectedHandshakes: Int {
        let line = metrics.render().split(separator: "\n").first { $0.hasPrefix("martlet_handshakes_rejected_total ") }
        return line.flatMap { Int($0.split(separator: " ")[1]) } ?? 0
    }
}
