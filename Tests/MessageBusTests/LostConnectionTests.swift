import CZeroMQ
import Model
import NIOCore
import Testing
import Wire

@testable import MessageBus

/// What a connection that ends leaves behind.
@Suite(.timeLimit(.minutes(1)))
struct LostConnectionTests {
    /// Waits until a ROUTER has a message and returns its frames.
    static func frames(of server: ZeroMQSocket) async -> [[UInt8]] {
        while true {
            if let frames = server.receiveAll() { return frames }
            await Task.yield()
        }
    }

    @Test("answers that arrived before the connection was lost are read to the last, whole")
    func readAfterLoss() async throws {
        let serverContext = try ZeroMQContext()
        let server = try ZeroMQSocket(serverContext, ZMQ_ROUTER)
        try server.set(ZMQ_LINGER, 10_000)
        let address = try server.bind("tcp://127.0.0.1:0")

        let context = try ZeroMQContext()
        let factory = ClientSocketFactory(
            context: context,
            configuration: BusConfiguration(
                name: "gateway-1", role: .gateway, keyPair: .generate(), listen: nil, publish: nil, security: .none))
        let client = try factory.make(ZMQ_DEALER, for: address, key: [])
        try client.connect(address)
        try client.reportEvents(to: "inproc://events")
        let events = try ZeroMQSocket(context, ZMQ_PAIR)
        try events.connect("inproc://events")

        let envelope = Envelope(
            protocolVersion: busProtocolVersion, type: .ping, sender: "gateway-1", timeoutMilliseconds: 1000)
        #expect(BusFrames.send(envelope, body: [1], payload: [], to: client))
        let connection = await Self.frames(of: server)[0]
        let answers = 1000
        for _ in 0..<answers {
            #expect(BusFrames.send(envelope, body: [2], payload: [], to: server, leadingFrame: connection))
        }
        server.close()
        serverContext.terminate()
        // The first two bytes are the event.
        while await Self.frames(of: events)[0].prefix(2) != [0x00, 0x02] {}

        var read = 0
        while let message = BusFrames.receive(from: client, leadingFrame: false, messageBytes: 1 << 20) {
            #expect(message.fault == nil)
            #expect(message.body == ByteBuffer(bytes: [2]))
            read += 1
        }
        #expect(read == answers)
        client.stopReporting()
        events.close()
        client.discard()
        context.terminate()
    }

    @Test("a request that was under way when the connection ended does not reach the process that comes after")
    func nothingDeliveredLate() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway, security: .none) {
                $0.limits.connectGrace = .seconds(20)
            }
            let context = try ZeroMQContext()
            defer { context.terminate() }
            var server = try ZeroMQSocket(context, ZMQ_ROUTER)
            let address = try server.bind("tcp://127.0.0.1:0")
            cluster.directory.set(PeerEndpoint(name: "storage-1", role: .storage, address: address))
            for _ in 0..<2 {
                async let lost = gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(30))
                let number = try RawSocketTests.RawClient.envelope(in: await Self.frames(of: server)[1]).correlationId
                server.discard()
                #expect(await lost == .unreachable)
                server = try await Self.listen(context, on: address)
                async let answered: Void = Self.pingUntilAnswered(gateway)
                let frames = await Self.frames(of: server)
                let next = try RawSocketTests.RawClient.envelope(in: frames[1]).correlationId
                #expect(next != number)
                let answer = Envelope(
                    protocolVersion: busProtocolVersion, type: .ping, reply: true, correlationId: next)
                #expect(BusFrames.send(answer, body: [], payload: [], to: server, leadingFrame: frames[0]))
                await answered
            }
            server.discard()
        }
    }

    private static func pingUntilAnswered(_ gateway: TestPeer) async {
        while await gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(30)) != nil {}
    }

    /// The address is free some moments after its last socket was closed.
    private static func listen(_ context: ZeroMQContext, on address: String) async throws -> ZeroMQSocket {
        while true {
            let socket = try ZeroMQSocket(context, ZMQ_ROUTER)
            if (try? socket.bind(address)) != nil { return socket }
            socket.close()
            await Task.yield()
        }
    }
}
