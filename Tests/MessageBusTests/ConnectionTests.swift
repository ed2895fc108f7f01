import MessageBus
import Model
import NIOCore
import Testing
import Wire

@Suite(.timeLimit(.minutes(1)))
struct ConnectionTests {
    @Test("a peer that is not in the directory, or where nobody listens, is unreachable long before the deadline")
    func unreachable() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-9", timeout: .seconds(30)) == .unreachable)
            cluster.directory.set(
                PeerEndpoint(
                    name: "storage-1", role: .storage, address: "tcp://127.0.0.1:1",
                    publicKey: CurveKeyPair.generate().publicKey))
            let start = ContinuousClock.now
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(30)) == .unreachable)
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(30)) == .unreachable)
            #expect(start.duration(to: .now) < .seconds(10))
        }
    }

    @Test("requests in flight to a process that dies fail as unreachable; after its restart it is reached again")
    func restart() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            let arrived = Mailbox<Bool>()
            let first = try cluster.start(
                "storage-1", .storage,
                handler: Handler { request, responder in
                    arrived.put(true)
                    Handler.silent.handle(request, responder)
                }
            ) { $0.limits.drain = .zero }
            let address = first.bus.address
            async let refused = gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(30))
            _ = await arrived.next()
            await first.bus.stop()
            #expect(await refused == .unreachable)
            let second = TestPeer(
                "storage-1", .storage, directory: cluster.directory, listen: address, keys: first.keys)
            try cluster.add(second)
            var statuses: [Status?] = []
            let start = ContinuousClock.now
            while statuses.last != .some(nil), start.duration(to: .now) < .seconds(20) {
                statuses.append(await gateway.bus.refusal(of: .ping, to: "storage-1"))
            }
            #expect(statuses.last == .some(nil))
            #expect(statuses.dropLast().allSatisfy { $0 == .unreachable })
        }
    }

    @Test("a peer that moved to another address and key is found through the directory")
    func moved() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            _ = try cluster.start("storage-1", .storage)
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1") == nil)
            let other = TestPeer(
                "storage-1", .storage, directory: cluster.directory,
                handler: Handler { _, responder in responder.reply(PingReply(name: "moved")) })
            try cluster.add(other)
            cluster.directory.set(other.endpoint())
            var name = ""
            while name != "moved" {
                if let answer = try? await gateway.bus.ping("storage-1") { name = answer.message.name }
            }
        }
    }

    @Test("without encryption only loopback addresses are permitted, for listening and for connecting")
    func plaintext() async throws {
        try await withCluster { cluster in
            let exposed = TestPeer(
                "storage-1", .storage, directory: cluster.directory, security: .none, listen: "tcp://0.0.0.0:0")
            #expect(throws: (any Error).self) { try exposed.bus.start() }
            let gateway = try cluster.start("gateway-1", .gateway, security: .none)
            _ = try cluster.start("storage-1", .storage, security: .none)
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1") == nil)
            #expect(await gateway.bus.refusal(of: .adminCommand, to: "storage-1") == .forbidden)
            cluster.directory.set(PeerEndpoint(name: "far", role: .storage, address: "tcp://192.0.2.1:9"))
            #expect(await gateway.bus.refusal(of: .ping, to: "far") == .unreachable)
        }
    }

    @Test("an address in use is an error of start, and a bus that never started can be stopped")
    func addressInUse() async throws {
        try await withCluster { cluster in
            let storage = try cluster.start("storage-1", .storage)
            let other = TestPeer("storage-2", .storage, directory: cluster.directory, listen: storage.bus.address)
            #expect(throws: (any Error).self) { try other.bus.start() }
            await other.bus.stop()
        }
    }

    @Test("stop fails what is in flight, on both sides, and what comes later")
    func stopInFlight() async throws {
        try await withCluster { cluster in
            let arrived = Mailbox<Bool>()
            let gateway = try cluster.start("gateway-1", .gateway) { $0.limits.drain = .milliseconds(50) }
            _ = try cluster.start(
                "storage-1", .storage,
                handler: Handler { request, responder in
                    arrived.put(true)
                    Handler.silent.handle(request, responder)
                }
            ) { $0.limits.drain = .milliseconds(50) }
            async let refused = gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(60))
            _ = await arrived.next()
            await gateway.bus.stop()
            #expect(await refused == .unavailable)
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1") == .unavailable)
            await gateway.bus.stop()
        }
    }

    @Test("stop waits for answers that are under way")
    func stopDrains() async throws {
        try await withCluster { cluster in
            let arrived = Mailbox<Responder>()
            let gateway = try cluster.start("gateway-1", .gateway)
            let storage = try cluster.start("storage-1", .storage, handler: Handler { arrived.put($1) }) {
                $0.limits.drain = .seconds(20)
            }
            async let answered = gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(60))
            let responder = try #require(await arrived.next())
            async let stopped: Void = storage.bus.stop()
            responder.reply(PingReply())
            #expect(await answered == nil)
            await stopped
        }
    }
}
