import MessageBus
import Model
import NIOCore
import Synchronization
import Testing
import Wire

@Suite(.timeLimit(.minutes(1)))
struct RequestTests {
    @Test("a request with several payloads comes back with them")
    func severalPayloads() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            _ = try cluster.start("storage-1", .storage)
            let payload = [pattern(10), pattern(0), pattern(100_000, seed: 7), pattern(5000, seed: 9)]
            let answer = try await gateway.bus.ping("storage-1", payload: payload)
            #expect(answer.message.name == "gateway-1")
            #expect(answer.payload == payload.reversed())
        }
    }

    @Test("a large payload is whole at the other end although its buffer changes after sending")
    func largePayload() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            _ = try cluster.start("storage-1", .storage)
            for size in [4095, 4096, 1 << 20, 8 << 20] {
                var buffer = pattern(size)
                let expected = buffer
                let mailbox = Mailbox<Result<BusReply, BusError>>()
                gateway.bus.send(
                    .ping, body: [], payload: [buffer], to: "storage-1", timeout: .seconds(20), context: .init(),
                    completion: { mailbox.put($0) })
                buffer.setInteger(UInt64.max, at: 0)
                let reply = try #require(await mailbox.next()).get()
                #expect(reply.payload == [expected])
            }
        }
    }

    @Test("context, epoch and the authenticated sender reach the handler")
    func context() async throws {
        try await withCluster { cluster in
            let seen = Mailbox<IncomingRequest>()
            let gateway = try cluster.start("gateway-1", .gateway) { $0.currentEpoch = { 17 } }
            _ = try cluster.start(
                "storage-1", .storage,
                handler: Handler { request, responder in
                    seen.put(request)
                    responder.fail(.staleEpoch, "go away")
                }
            ) { $0.currentEpoch = { 23 } }
            let context = MessageContext(requestID: "R1", traceparent: "00-aa-bb-01")
            do throws(BusError) {
                _ = try await gateway.bus.ping("storage-1", context: context)
                Issue.record("the request should have been refused")
            } catch {
                #expect(error == BusError(.staleEpoch, "go away", epoch: 23))
            }
            let request = try #require(await seen.next())
            #expect(request.sender == "gateway-1")
            #expect(request.role == .gateway)
            #expect(request.epoch == 17)
            #expect(request.requestID == "R1")
            #expect(request.traceparent == "00-aa-bb-01")
            #expect(request.deadline > .now)
        }
    }

    @Test("a request without an answer fails at its deadline")
    func deadline() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            _ = try cluster.start("storage-1", .storage, handler: .silent)
            let start = ContinuousClock.now
            #expect(
                await gateway.bus.refusal(of: .ping, to: "storage-1", timeout: .milliseconds(300)) == .deadlineExceeded)
            #expect(start.duration(to: .now) >= .milliseconds(300))
            #expect(gateway.metrics.render().contains("martlet_message_timeouts_total{type=\"ping\"} 1"))
        }
    }

    @Test("a handler that drops its responder fails the request")
    func droppedResponder() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            _ = try cluster.start("storage-1", .storage, handler: Handler { _, _ in })
            #expect(await gateway.bus.refusal(of: .ping, to: "storage-1") == .internalError)
        }
    }

    @Test("only the first answer counts")
    func answerOnce() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            _ = try cluster.start(
                "storage-1", .storage,
                handler: Handler { _, responder in
                    responder.reply(PingReply(name: "first"))
                    responder.reply(PingReply(name: "second"))
                    responder.fail(.conflict, "third")
                })
            #expect(try await gateway.bus.ping("storage-1").message.name == "first")
            #expect(try await gateway.bus.ping("storage-1").message.name == "first")
        }
    }

    @Test("more requests in flight than the limit fail at once as overloaded")
    func overload() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway) { $0.limits.requestsPerPeer = 3 }
            _ = try cluster.start("storage-1", .storage, handler: .silent)
            let mailbox = Mailbox<Status>()
            for _ in 0..<4 {
                gateway.bus.send(
                    .ping, body: [], payload: [], to: "storage-1", timeout: .seconds(30), context: .init(),
                    completion: { if case .failure(let error) = $0 { mailbox.put(error.status) } })
            }
            #expect(await mailbox.next() == .overloaded)
        }
    }

    @Test("more bytes in flight than the limit fail at once as overloaded, one message over its limit as too large")
    func overloadBytes() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway) { $0.limits.bytesPerPeer = 100_000 }
            _ = try cluster.start("storage-1", .storage, handler: .silent)
            let mailbox = Mailbox<Status>()
            for size in [60_000, 60_000, Limits.messageSizeMax + 1] {
                gateway.bus.send(
                    .ping, body: [], payload: [pattern(size)], to: "storage-1", timeout: .seconds(30), context: .init(),
                    completion: { if case .failure(let error) = $0 { mailbox.put(error.status) } })
            }
            #expect(await mailbox.next() == .overloaded)
            #expect(await mailbox.next() == .tooLarge)
        }
    }

    @Test("a full queue is an overload, told on the bus thread")
    func fullQueue() async throws {
        let directory = StaticPeerDirectory()
        let peer = TestPeer("gateway-1", .gateway, directory: directory) { $0.limits.queue = 1 }
        let mailbox = Mailbox<Status>()
        for _ in 0..<2 {
            peer.bus.send(
                .ping, body: [], payload: [], to: "nobody", timeout: .seconds(30), context: .init(),
                completion: { if case .failure(let error) = $0 { mailbox.put(error.status) } })
        }
        try peer.bus.start()
        #expect(Set([await mailbox.next(), await mailbox.next()]) == [.unreachable, .overloaded])
        await peer.bus.stop()
    }

    @Test("requests that were sent to a bus that never starts fail when it is stopped")
    func neverStarted() async throws {
        let peer = TestPeer("gateway-1", .gateway, directory: StaticPeerDirectory())
        let mailbox = Mailbox<Status>()
        peer.bus.send(
            .ping, body: [], payload: [], to: "storage-1", timeout: .seconds(30), context: .init(),
            completion: { if case .failure(let error) = $0 { mailbox.put(error.status) } })
        await peer.bus.stop()
        #expect(await mailbox.next() == .unavailable)
        #expect(throws: (any Error).self) { try peer.bus.start() }
    }

    @Test("a server that holds too much unanswered work refuses more of it")
    func serverOverload() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            _ = try cluster.start("storage-1", .storage, handler: .silent) { $0.limits.requestsServed = 1 }
            _ = try cluster.start("storage-2", .storage, handler: .silent) { $0.limits.bytesServed = 6000 }
            for peer in ["storage-1", "storage-2"] as [NodeName] {
                let mailbox = Mailbox<Status>()
                for _ in 0..<2 {
                    gateway.bus.send(
                        .ping, body: [], payload: [pattern(5000)], to: peer, timeout: .seconds(30), context: .init(),
                        completion: { if case .failure(let error) = $0 { mailbox.put(error.status) } })
                }
                #expect(await mailbox.next() == .overloaded)
            }
        }
    }

    @Test("an unknown type is refused by name, a known one that the role may not send is forbidden")
    func types() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            _ = try cluster.start("storage-1", .storage)
            #expect(await gateway.bus.refusal(of: MessageType(rawValue: 99), to: "storage-1") == .unknownType)
            #expect(await gateway.bus.refusal(of: .adminCommand, to: "storage-1") == .forbidden)
            #expect(await gateway.bus.refusal(of: .nodeCommand, to: "storage-1") == .forbidden)
            #expect(await gateway.bus.refusal(of: .stage, to: "storage-1") == nil)
        }
    }

    @Test("10,000 requests from several threads are each answered once, with their own answer")
    func concurrency() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            for index in 1...3 {
                _ = try cluster.start(
                    NodeName("storage-\(index)"), .storage,
                    handler: Handler { request, responder in
                        responder.reply(PingReply(name: "\(index)", version: request.requestID))
                    })
            }
            let right = await withTaskGroup(of: Int.self) { group in
                for worker in 0..<20 {
                    group.addTask {
                        var right = 0
                        for index in 0..<500 {
                            let id = "\(worker)/\(index)"
                            let peer = index % 3 + 1
                            let answer = try? await gateway.bus.ping(
                                NodeName("storage-\(peer)"), context: MessageContext(requestID: id))
                            if answer?.message == PingReply(name: "\(peer)", version: id) { right += 1 }
                        }
                        return right
                    }
                }
                return await group.reduce(0, +)
            }
            #expect(right == 10_000)
            #expect(gateway.metrics.render().contains("martlet_messages_in_flight 0"))
        }
    }
}
