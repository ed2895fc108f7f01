import NIOCore
import NIOHTTP1
import S3Protocol
import Synchronization
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct ConnectionTests {
    @Test("requests in all forms reach their handler, on one connection")
    func forms() async throws {
        try await LoopbackGateway.run { gateway in
            let client = try await gateway.connect()
            for (method, target, host, expected) in [
                ("GET", "/bucket/key", "localhost", "getObject bucket key 0"),
                ("GET", "http://bucket.s3.amazonaws.com/key", "bucket.s3.amazonaws.com", "getObject bucket key 0"),
                ("GET", "http://s3.amazonaws.com/", "s3.amazonaws.com", "listBuckets - - 0"),
                ("GET", "/a%20b", "dotted.bucket.my.endpoint:8080", "getObject dotted.bucket a b 0"),
                ("DELETE", "/bucket", "foreign.example.com", "deleteBucket bucket - 0"),
            ] {
                client.send("\(method) \(target) HTTP/1.1\r\nHost: \(host)\r\n\r\n")
                let answer = try await client.answer()
                #expect(answer.status == 200)
                #expect(answer.body == expected)
                #expect(answer.headers["x-amz-request-id"]?.count == 16)
                #expect(answer.headers["x-amz-id-2"] == "gateway-1")
                #expect(answer.headers["date"] == "Fri, 14 Mar 2025 15:09:26 GMT")
                #expect(answer.headers["server"] == "Martlet")
            }
            client.close()
        }
    }

    @Test("a pipeline of requests is answered in order, one at a time")
    func pipelining() async throws {
        let running = Atomic<Int>(0)
        let mostRunning = Atomic<Int>(0)
        try await LoopbackGateway.run(answer: { request in
            mostRunning.max(running.wrappingAdd(1, ordering: .relaxed).newValue, ordering: .relaxed)
            await Task.yield()
            running.wrappingSubtract(1, ordering: .relaxed)
            return await StubHandler.echo(request)
        }) { gateway in
            let client = try await gateway.connect()
            var text = ""
            for index in 0..<50 {
                text += "PUT /bucket/\(index) HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(index)\r\n\r\n"
                text += String(repeating: "x", count: index)
            }
            client.send(text)
            for index in 0..<50 {
                let answer = try await client.answer()
                #expect(answer.body == "putObject bucket \(index) \(index)")
            }
            client.close()
        }
        #expect(mostRunning.load(ordering: .relaxed) == 1)
    }

    @Test("100 Continue is sent when the body is wanted, and not to a request that is refused")
    func expectContinue() async throws {
        try await LoopbackGateway.run { gateway in
            let client = try await gateway.connect()
            client.send("PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n")
            #expect(try await client.answer().status == 100)
            client.send("hello")
            #expect(try await client.answer().body == "putObject b k 5")

            client.send(
                "PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
                    + "Authorization: AWS nobody:AAAAAAAAAAAAAAAAAAAAAAAAAAA=\r\nDate: Fri, 14 Mar 2025 15:09:26 GMT\r\n\r\n"
            )
            let refused = try await client.answer()
            #expect(refused.status == 403)
            #expect(refused.code == "InvalidAccessKeyId")
            #expect(refused.headers["connection"] == "close")
            _ = await client.untilClosed()
        }
    }

    @Test("HEAD has the length of what GET would send, and no body")
    func head() async throws {
        try await LoopbackGateway.run(answer: { request in
            request.key == "empty"
                ? S3Response(headers: ["Content-Length": "77"])
                : S3Response(body: .stream(length: 99) { ByteBuffer(string: "x") })
        }) { gateway in
            let client = try await gateway.connect()
            for (key, length) in [("empty", "77"), ("streamed", "99")] {
                client.send("HEAD /b/\(key) HTTP/1.1\r\nHost: localhost\r\n\r\n")
                #expect(try await client.answer(toHead: true).headers["content-length"] == length)
            }
            client.send("HEAD /b/k?acl&cors HTTP/1.1\r\nHost: localhost\r\n\r\n")
            _ = try await client.answer(toHead: true)
            client.close()
        }
    }

    @Test("a client that goes away in the middle of its body cancels the task, which sees no end")
    func abort() async throws {
        let outcome = Mutex<String?>(nil)
        let (ends, end) = AsyncStream<Void>.makeStream()
        try await LoopbackGateway.run(answer: { request in
            do {
                while try await request.body.next() != nil {}
                outcome.withLock { $0 = "stored" }
            } catch {
                outcome.withLock { $0 = "\((error as? S3Error)?.code.rawValue ?? "")" }
            }
            end.yield()
            return S3Response()
        }) { gateway in
            let client = try await gateway.connect()
            client.send("PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nhalf of it")
            while gateway.handler.requests.isEmpty { await Task.yield() }
            client.close()
            for await _ in ends { break }
        }
        #expect(outcome.withLock { $0 } == "IncompleteBody")
    }

    @Test("a body that ends early is answered by IncompleteBody when the client can still listen")
    func truncated() async throws {
        try await LoopbackGateway.run { gateway in
            let client = try await gateway.connect()
            client.send("PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nhalf of it")
            client.closeOutput()
            #expect(try await client.answer().code == "IncompleteBody")
        }
    }

    @Test("an answer that ends too early or too late, or fails, closes the connection")
    func brokenStreams() async throws {
        for kind in ["short", "long", "failing"] {
            try await LoopbackGateway.run(answer: { _ in
                let calls = Atomic<Int>(0)
                return S3Response(
                    body: .stream(length: 10) {
                        switch (kind, calls.wrappingAdd(1, ordering: .relaxed).newValue) {
                        case ("long", _): return ByteBuffer(string: "0123456")
                        case (_, 1): return ByteBuffer(string: "0123")
                        case ("short", _): return nil
                        default: throw S3Error(.internalError)
                        }
                    })
            }) { gateway in
                let client = try await gateway.connect()
                client.send("GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
                await #expect(throws: RawClient.Closed.self) { try await client.answer() }
            }
        }
    }

    @Test("a reader that does not read stops the producer")
    func slowReader() async throws {
        let produced = Atomic<Int>(0)
        try await LoopbackGateway.run(answer: { _ in
            S3Response(
                body: .stream(length: 1 << 30) {
                    produced.wrappingAdd(1 << 18, ordering: .relaxed)
                    return ByteBuffer(repeating: 7, count: 1 << 18)
                })
        }) { gateway in
            let client = try await RawClient.connect(port: gateway.server.port, autoRead: false)
            client.send("GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
            // What the kernel's buffers hold can be produced, and then nothing more.
            var before = -1
            while before != produced.load(ordering: .relaxed) || before == 0 {
                before = produced.load(ordering: .relaxed)
                for _ in 0..<2000 { await Task.yield() }
            }
            #expect(produced.load(ordering: .relaxed) < 64 << 20)
            client.close()
        }
    }

    @Test("a client that takes no more of its answer is given up")
    func stalledReader() async throws {
        var limits = FrontLimits()
        limits.bodyTimeout = .seconds(1)
        try await LoopbackGateway.run(
            limits: limits,
            answer: { _ in
                S3Response(body: .stream(length: 1 << 30) { ByteBuffer(repeating: 7, count: 1 << 20) })
            }
        ) { gateway in
            let client = try await RawClient.connect(port: gateway.server.port, autoRead: false)
            client.send("GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while gateway.front.metrics.connections.value == 0 { await Task.yield() }
            while gateway.front.metrics.connections.value != 0 { try await Task.sleep(for: .milliseconds(20)) }
            client.close()
        }
    }

    @Test("an answer makes progress by what has left, not by a byte now and then")
    func sendProgress() {
        let step = SendProgress.step
        let (some, more): (UInt64, UInt64) = (1 << 20, 1 << 21)
        var progress = SendProgress()
        let advanced = [
            (some, some), (some, some - step + 1), (some, some - step), (some, some - step),
            // More is handed over, and none of it has left.
            (more, more - step), (more, 0),
        ].map { progress.hasAdvanced(handedOver: $0, buffered: $1) }
        #expect(advanced == [false, false, true, false, false, true])
    }

    @Test("uploads beyond the memory limit wait until others have finished")
    func memoryBudget() async throws {
        var limits = FrontLimits()
        limits.memoryLimit = 2 * RequestBody.memoryPerBody
        try await LoopbackGateway.run(limits: limits) { gateway in
            let size = RequestBody.memoryPerBody
            let head = "PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: \(size)\r\n\r\n"
            var clients: [RawClient] = []
            for _ in 0..<5 {
                let client = try await gateway.connect()
                client.send(head)
                clients.append(client)
            }
            while gateway.handler.requests.count < 5 || gateway.front.budget.free > 0 { await Task.yield() }
            for client in clients { try await client.send(ByteBuffer(repeating: 1, count: size)) }
            for client in clients {
                #expect(try await client.answer().body == "putObject b k \(size)")
                client.close()
            }
            while gateway.front.budget.free != limits.memoryLimit { await Task.yield() }
        }
    }

    @Test("an upload that waits too long for memory is told to slow down")
    func memoryPatience() async throws {
        let budget = MemoryBudget(limit: 10, patience: .seconds(5))
        let first = try await budget.reserve(100)
        #expect(first == 10)
        let second = Task { try await budget.reserve(1) }
        let third = Task { try await budget.reserve(1) }
        let cancelled = Task { try await budget.reserve(1) }
        cancelled.cancel()
        await #expect(throws: S3Error(.slowDown)) { try await cancelled.value }
        budget.expire(now: .now + .seconds(4))
        while budget.waiting < 2 { await Task.yield() }
        budget.expire(now: .now + .seconds(6))
        for task in [second, third] { await #expect(throws: S3Error(.slowDown)) { try await task.value } }
        budget.release(first)
        let last = try await budget.reserve(3)
        #expect(last == 3)
        #expect(budget.free == 7)
    }

    @Test("connections and requests beyond their limits get SlowDown")
    func caps() async throws {
        var limits = FrontLimits()
        limits.connectionsMax = 1
        try await LoopbackGateway.run(limits: limits) { gateway in
            let first = try await gateway.exchangeKeepingOpen("GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
            let second = try await gateway.connect()
            let answer = try await second.answer()
            #expect(answer.status == 503)
            #expect(answer.code == "SlowDown")
            first.close()
        }
        limits = FrontLimits()
        limits.requestsMax = 0
        try await LoopbackGateway.run(limits: limits) { gateway in
            let answer = try await gateway.exchange("GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(answer.code == "SlowDown")
        }
    }

    @Test("slow heads, idle connections and stalled bodies run into their deadlines")
    func deadlines() async throws {
        var limits = FrontLimits()
        limits.headTimeout = .seconds(1)
        limits.idleTimeout = .seconds(1)
        limits.bodyTimeout = .seconds(1)
        try await LoopbackGateway.run(limits: limits) { gateway in
            let head = try await gateway.connect()
            head.send("GET /b/k HT")
            let body = try await gateway.connect()
            body.send("PUT /b/k HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab")
            let idle = try await gateway.exchangeKeepingOpen("GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(await head.untilClosed() == "")
            #expect(try await body.answer().code == "RequestTimeout")
            #expect(await idle.untilClosed() == "")
        }
    }

    @Test("a graceful stop finishes the requests in flight and closes idle connections")
    func stop() async throws {
        let (started, start) = AsyncStream<Void>.makeStream()
        let (released, release) = AsyncStream<Void>.makeStream()
        let client = Mutex<RawClient?>(nil)
        try await LoopbackGateway.run(answer: { request in
            start.yield()
            for await _ in released { break }
            return await StubHandler.echo(request)
        }) { gateway in
            let idle = try await gateway.connect()
            let busy = try await gateway.connect()
            busy.send("GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
            for await _ in started { break }
            async let stopping: Void = gateway.server.stop()
            _ = await idle.untilClosed()
            release.yield()
            let answer = try await busy.answer()
            #expect(answer.body == "getObject b k 0")
            #expect(answer.headers["connection"] == "close")
            await stopping
            client.withLock { $0 = busy }
        }
    }
}

extension LoopbackGateway {
    /// One request; its connection stays open.
    fileprivate func exchangeKeepingOpen(_ text: String) async throws -> RawClient {
        let client = try await connect()
        client.send(text)
        _ = try await client.answer()
        return client
    }
}
