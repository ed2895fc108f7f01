import CZeroMQ
import Logging
import Model
import NIOCore
import Testing
import Wire

@testable import MessageBus

/// What a program sees that speaks ZeroMQ but not our protocol.
@Suite(.timeLimit(.minutes(1)))
struct RawSocketTests {
    /// A DEALER without any of the bus's care.
    final class RawClient {
        let context: ZeroMQContext
        let socket: ZeroMQSocket

        init(_ address: String) throws {
            context = try ZeroMQContext()
            socket = try ZeroMQSocket(context, ZMQ_DEALER)
            try socket.set(ZMQ_LINGER, 0)
            try socket.connect(address)
        }

        func send(_ frames: [[UInt8]]) {
            for (index, frame) in frames.enumerated() {
                _ = socket.send(ZeroMQMessage(frame), more: index + 1 < frames.count)
            }
        }

        func answer() async throws -> Envelope {
            while true {
                if let frames = socket.receiveAll() { return try Self.envelope(in: frames[0]) }
                await Task.yield()
            }
        }

        static func envelope(in frame: [UInt8]) throws -> Envelope {
            try #require(frame.withUnsafeBytes { MessageHead.read($0)?.envelope })
        }

        func expect(status: Status) async throws {
            let answer = try await answer()
            #expect(answer.status == status)
        }

        func expect(correlationId: UInt64) async throws {
            let answer = try await answer()
            #expect(answer.correlationId == correlationId)
        }

        func close() {
            socket.close()
            context.terminate()
        }
    }

    static func withServer(_ body: (TestPeer, RawClient) async throws -> Void) async throws {
        try await withCluster { cluster in
            let server = try cluster.start("storage-1", .storage, security: .none)
            cluster.directory.set(PeerEndpoint(name: "gateway-1", role: .gateway, address: ""))
            let client = try RawClient(server.bus.address)
            defer { client.close() }
            try await body(server, client)
        }
    }

    static func head(_ change: (inout Envelope) -> Void = { _ in }) -> [UInt8] {
        var envelope = Envelope(
            protocolVersion: busProtocolVersion, type: .ping, correlationId: 77, sender: "gateway-1",
            timeoutMilliseconds: 20_000)
        change(&envelope)
        return frame(envelope)
    }

    static func frame(_ envelope: Envelope, body: [UInt8] = []) -> [UInt8] {
        var message = MessageHead.bytes(envelope, body: body)
        return message.bytes
    }

    @Test("nonsense is dropped, and the next good request is answered")
    func nonsense() async throws {
        try await Self.withServer { server, client in
            client.send([[]])
            client.send([Array("hello".utf8), [1, 2, 3]])
            client.send([[UInt8](repeating: 0xff, count: 5000), []])
            client.send([Array(Self.head().dropLast())])
            client.send([Self.head { $0.reply = true }])
            client.send([Self.head { $0.timeoutMilliseconds = 0 }])
            client.send([Self.head()])
            let answer = try await client.answer()
            #expect(answer.status == .ok)
            #expect(answer.correlationId == 77)
            #expect(answer.sender == "storage-1")
            let metrics = server.metrics.render()
            #expect(metrics.contains("martlet_messages_malformed_total 5"))
            #expect(metrics.contains("martlet_messages_expired_total 1"))
        }
    }

    @Test("faults of a readable envelope are answered by name")
    func faults() async throws {
        try await Self.withServer { _, client in
            client.send([Self.head { $0.protocolVersion = busProtocolVersion + 1 }])
            try await client.expect(status: .unsupportedVersion)
            client.send([Self.head { $0.type = MessageType(rawValue: -5) }])
            try await client.expect(status: .unknownType)
            client.send([Self.head { $0.sender = "nobody" }])
            try await client.expect(status: .forbidden)
            client.send([Self.head()] + Array(repeating: [1], count: 100))
            try await client.expect(status: .tooLarge)
        }
    }

    @Test("a frame over the limit closes the connection before it is read; others are served")
    func oversize() async throws {
        try await Self.withServer { server, client in
            client.send([Self.head(), [UInt8](repeating: 1, count: Limits.messageSizeMax + 1)])
            client.send([Self.head { $0.correlationId = 78 }])
            let other = try RawClient(server.bus.address)
            defer { other.close() }
            other.send([Self.head { $0.correlationId = 79 }])
            try await other.expect(correlationId: 79)
        }
    }

    @Test("several frames that are too large together are refused")
    func oversizeTogether() async throws {
        try await Self.withServer { _, client in
            let half = [UInt8](repeating: 1, count: Limits.messageSizeMax / 2 + 1)
            client.send([Self.head(), half, half])
            try await client.expect(status: .tooLarge)
        }
    }

    @Test("a peer that answers with an oversize frame loses the connection, and is asked again on a new one")
    func oversizeAnswer() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway, security: .none) {
                $0.limits.handshakeGrace = .milliseconds(200)
            }
            let context = try ZeroMQContext()
            let server = try ZeroMQSocket(context, ZMQ_ROUTER)
            defer {
                server.close()
                context.terminate()
            }
            try server.set(ZMQ_LINGER, 0)
            let address = try server.bind("tcp://127.0.0.1:0")
            cluster.directory.set(PeerEndpoint(name: "storage-1", role: .storage, address: address))
            let outcomes = Mailbox<Status?>()
            let asking = Task {
                while !Task.isCancelled {
                    outcomes.put(await gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .seconds(20)))
                }
            }
            defer { asking.cancel() }
            func serve(_ body: [UInt8]) async throws {
                while true {
                    guard let frames = server.receiveAll() else {
                        await Task.yield()
                        continue
                    }
                    let number = try RawClient.envelope(in: frames[1]).correlationId
                    let answer = Envelope(
                        protocolVersion: busProtocolVersion, type: .ping, reply: true, correlationId: number)
                    for (index, frame) in [frames[0], Self.frame(answer), body].enumerated() {
                        _ = server.send(ZeroMQMessage(frame), more: index < 2)
                    }
                    return
                }
            }
            try await serve([UInt8](repeating: 0, count: Limits.messageSizeMax + 1))
            #expect(await outcomes.next() == .some(.unreachable))
            try await serve([])
            while let outcome = await outcomes.next(), outcome != nil { #expect(outcome == .unreachable) }
        }
    }

    @Test("a client without CURVE gets nothing from a server with it, on any socket")
    func plaintextClient() async throws {
        try await withCluster { cluster in
            let server = try cluster.start("storage-1", .storage)
            let gateway = try cluster.start("gateway-1", .gateway)
            let client = try RawClient(server.bus.address)
            defer { client.close() }
            client.send([Self.head()])
            let listener = try ZeroMQSocket(client.context, ZMQ_SUB)
            defer { listener.close() }
            try listener.set(ZMQ_SUBSCRIBE, [])
            try listener.connect(server.bus.publisherAddress)
            for _ in 0..<50 {
                server.bus.publish(.hintsAdded, HintsAdded(total: 1))
                _ = try await gateway.bus.ping("storage-1")
            }
            #expect(client.socket.receiveAll() == nil)
            #expect(listener.receiveAll() == nil)
            #expect(!server.hasListener)
        }
    }

    @Test("the longest-waiting deadline comes first, whatever the order of insertion")
    func heap() {
        var heap = DeadlineHeap<Int>()
        for value in [5, 3, 9, 1, 7, 3, 8] { heap.insert(value, due: UInt64(value)) }
        var order: [Int] = []
        while !heap.isEmpty { order.append(heap.removeFirst()) }
        #expect(order == [1, 3, 3, 5, 7, 8, 9])
    }

    @Test("a number of the slot table never means another entry")
    func slots() {
        var table = SlotTable<String>()
        let first = table.insert("a")
        let second = table.insert("b")
        #expect(table.remove(first) == "a")
        let third = table.insert("c")
        #expect(table[first] == nil)
        #expect(table.remove(first) == nil)
        #expect(table[second] == "b")
        #expect(table[third] == "c")
        #expect(table.count == 2)
        #expect(table[UInt64.max] == nil)
        #expect(table.numbers { $0 == "b" } == [second])
    }
}
