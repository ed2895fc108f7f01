import NIOCore
import NIOHTTP1
import Testing

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct RequestAdmissionTests {
    /// Lets one handler go on when it is opened. Whoever waits must not keep the event loop busy.
    private struct Gate: Sendable {
        private let opening: AsyncStream<Void>
        private let opener: AsyncStream<Void>.Continuation

        init() { (opening, opener) = AsyncStream<Void>.makeStream() }

        func open() { opener.finish() }

        func pass() async { for await _ in opening {} }
    }

    @Test("Who is refused is told when to come again, and health checks are answered all the same")
    func refusal() async throws {
        let gate = Gate()
        var limits = FrontLimits()
        limits.requestsMax = 1
        try await LoopbackGateway.run(
            limits: limits,
            answer: { _ in
                await gate.pass()
                return S3Response()
            }
        ) { gateway in
            let first = try await gateway.connect()
            first.send("GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while gateway.handler.requests.isEmpty { await Task.yield() }
            let refused = try await gateway.exchange("GET /b/k HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(refused.status == 503)
            #expect(refused.code == "SlowDown")
            #expect(refused.headers["retry-after"] == "1")
            #expect(gateway.front.metrics.requestsRefused.value == 1)
            let ping = try await gateway.exchange("GET /_leofs_adm/ping HTTP/1.1\r\nHost: localhost\r\n\r\n")
            #expect(ping.status == 200)
            gate.open()
            #expect(try await first.answer().status == 200)
            #expect(gateway.handler.requests.count == 1)
        }
    }

    @Test("A request that waits for its client is not in service; a large one never is")
    func waitingForClients() async throws {
        let gate = Gate()
        try await LoopbackGateway.run(answer: { request in
            let answer = await StubHandler.echo(request)
            await gate.pass()
            return answer
        }) { gateway in
            let admission = gateway.front.admission
            let large = try await gateway.connect()
            large.send("PUT /b/large HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\nabc")
            let small = try await gateway.connect()
            small.send("PUT /b/small HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nab")
            while gateway.handler.requests.count < 2 || admission.inService > 0 { await Task.yield() }
            small.send("cde")
            while admission.inService != 1 { await Task.yield() }
            gate.open()
            #expect(try await small.answer().status == 200)
            while admission.inService != 0 { await Task.yield() }
        }
    }

    @Test("What an event loop has not read in time is late from the beginning")
    func lag() {
        let admission = RequestAdmission(FrontLimits(), metrics: FrontMetrics(.init()))
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/b/k")
        // What is usual: next to nothing.
        admission.enter(head).served("getObject", status: 200)
        let delays = admission.metrics.admissionDelay
        let before = delays.snapshot.sum
        for _ in 0..<20 { admission.noteLag(.seconds(5)) }
        admission.enter(head).served("getObject", status: 200)
        #expect(delays.snapshot.sum - before > 4)
        for _ in 0..<20 { admission.noteLag(.zero) }
        #expect(admission.presentLag < .milliseconds(1))
    }

    @Test("Without the limit of delays only the number of requests counts")
    func switchedOff() {
        var limits = FrontLimits()
        limits.overloadDelay = .zero
        limits.requestsMax = 2
        let admission = RequestAdmission(limits, metrics: FrontMetrics(.init()))
        let head = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/b/k")
        let standings = (0..<3).map { _ in admission.enter(head).isRefused }
        #expect(standings == [false, false, true])
        #expect(!admission.enter(head, isExempt: true).isRefused)
        for _ in 0..<4 { admission.leave(received: 0, sent: 0) }
        #expect(!admission.enter(head).isRefused)
    }

    @Test("Large bodies count among all requests, and take no place among those in service")
    func largeBodies() {
        var limits = FrontLimits()
        limits.requestsMax = 100
        let admission = RequestAdmission(limits, metrics: FrontMetrics(.init()))
        var head = HTTPRequestHead(version: .http1_1, method: .PUT, uri: "/b/k")
        head.headers.add(name: "Content-Length", value: "1000000")
        #expect(!admission.enter(head).isRefused)
        #expect(admission.inService == 0)
        let small = HTTPRequestHead(version: .http1_1, method: .GET, uri: "/b/k")
        for _ in 0..<99 { #expect(!admission.enter(small).isRefused) }
        #expect(admission.inService == 99)
        #expect(admission.enter(head).isRefused)
    }
}
