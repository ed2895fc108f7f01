import Testing

@testable import Gateway

@Suite struct AdmissionLimitTests {
    @Test("Below its capacity nothing is refused", arguments: [0.1, 0.5, 0.9])
    func quiet(part: Double) {
        var server = SimulatedServer()
        server.run(server.capacity * part, for: .seconds(10))
        #expect(server.refused == 0)
    }

    @Test(
        "At more than its capacity a server stays busy, and those who are served wait a bounded time",
        arguments: [1.2, 2, 10])
    func overload(times: Double) {
        var server = SimulatedServer()
        server.run(server.capacity / 2, for: .seconds(2))
        server.run(server.capacity * times, for: .seconds(5))
        server.run(server.capacity * times, for: .seconds(10))
        #expect(Double(server.served) > 0.98 * server.capacity * 10)
        #expect(server.median < .milliseconds(200))
        #expect(server.refused > 0)
    }

    @Test("A server that works in batches gets as many at a time as it needs to be at its best")
    func batches() {
        var server = SimulatedServer(batchMax: 64, perBatch: .milliseconds(10))
        server.run(server.capacity / 4, for: .seconds(2))
        server.run(server.capacity * 2, for: .seconds(5))
        server.run(server.capacity * 2, for: .seconds(10))
        #expect(Double(server.served) > 0.98 * server.capacity * 10)
        #expect(server.median < .milliseconds(300))
    }

    @Test("A burst on an idle gateway is served, not refused")
    func burst() {
        var server = SimulatedServer()
        server.run(server.capacity / 4, for: .seconds(1))
        server.burst(1000)
        server.drain()
        #expect(server.refused == 0)
        #expect(server.served == 1000)
    }

    @Test("After a stall all is served again")
    func stall() {
        var server = SimulatedServer()
        server.run(server.capacity / 2, for: .seconds(2))
        server.stall(.seconds(3))
        server.run(server.capacity / 2, for: .seconds(5))
        server.run(server.capacity / 2, for: .seconds(5))
        #expect(server.refused == 0)
    }

    @Test("After an overload the limit grows back to where it was")
    func recovery() {
        var server = SimulatedServer()
        server.run(server.capacity / 2, for: .seconds(2))
        server.run(server.capacity * 3, for: .seconds(10))
        #expect(server.limit.limit < 1000)
        server.run(server.capacity / 2, for: .seconds(10))
        #expect(server.limit.limit == 2048)
    }

    @Test("A cluster that has become slow for good is learnt to be so")
    func slowerForGood() {
        var server = SimulatedServer()
        server.run(server.capacity / 2, for: .seconds(5))
        // Each request alone takes longer now than the limit allows.
        server.perBatch = .milliseconds(400)
        server.batchMax = 64
        server.run(100, for: .seconds(120))
        server.run(100, for: .seconds(20))
        #expect(server.refused == 0)
    }

    @Test("Kinds that take longer do not look like an overload")
    func kinds() {
        let start = ContinuousClock.now
        var limit = AdmissionLimit(.init(), now: start)
        for step in 1...2000 {
            let now = start + .milliseconds(10 * step)
            let (kind, time) =
                step.isMultiple(of: 3) ? ("headObject", Duration.milliseconds(1)) : ("listObjects", .seconds(1))
            let isAdmitted = limit.arrive()
            #expect(isAdmitted)
            _ = limit.leave(kind, after: time, now: now)
        }
        #expect(limit.limit == 2048)
    }

    @Test("Who waits for a client takes nobody's place")
    func waiting() {
        var options = AdmissionLimit.Options()
        options.requestsMax = options.requestsMin
        var limit = AdmissionLimit(options, now: .now)
        let first = (0...options.requestsMin).map { _ in limit.arrive() }
        #expect(first.count(where: { $0 }) == options.requestsMin)
        limit.pause()
        let whilePaused = limit.arrive()
        limit.resume()
        let afterwards = limit.arrive()
        #expect([whilePaused, afterwards] == [true, false])
        limit.leave()
        limit.leave()
        let last = limit.arrive()
        #expect(last)
    }

    @Test("One slow answer changes little of what is usual")
    func outliers() throws {
        var usual = UsualDurations()
        for _ in 0..<100 { usual.learn("getObject", .milliseconds(10)) }
        usual.learn("getObject", .seconds(30))
        #expect(try #require(usual["getObject"]) < .milliseconds(11))
        for _ in 0..<1000 { usual.learn("getObject", .milliseconds(40)) }
        #expect(try #require(usual["getObject"]) > .milliseconds(39))
    }
}
