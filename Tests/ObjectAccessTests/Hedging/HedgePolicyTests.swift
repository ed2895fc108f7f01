import Testing

@testable import ObjectAccess

@Suite struct HedgePolicyTests {
    @Test("The waiting is as long as most answers took lately")
    func learns() throws {
        var policy = HedgePolicy(.init())
        #expect(policy.delay == .milliseconds(100))
        for number in 0..<1000 { policy.answered(after: number.isMultiple(of: 50) ? .seconds(1) : .milliseconds(8)) }
        #expect(policy.delay >= .milliseconds(8) && policy.delay < .milliseconds(10))
        // The cluster has become slower: its answers are awaited for longer.
        for _ in 0..<4000 { policy.answered(after: .milliseconds(30)) }
        #expect(policy.delay >= .milliseconds(30) && policy.delay < .milliseconds(40))
    }

    @Test("The waiting has bounds")
    func bounds() {
        var policy = HedgePolicy(.init())
        for _ in 0..<1000 { policy.answered(after: .microseconds(10)) }
        #expect(policy.delay == .milliseconds(2))
        for _ in 0..<5000 { policy.answered(after: .seconds(3)) }
        #expect(policy.delay == .seconds(1))
    }

    @Test("Few answers teach nothing")
    func fewSamples() {
        var policy = HedgePolicy(.init())
        for _ in 1..<HedgePolicy.samplesMin { policy.answered(after: .milliseconds(5)) }
        #expect(policy.delay == .milliseconds(100))
    }

    @Test("However slow all replicas are, only a small part of the requests is sent twice", arguments: [0.05, 0.2])
    func share(part: Double) {
        var options = HedgePolicy.Options()
        options.share = part
        var policy = HedgePolicy(options)
        var hedged = 0
        for _ in 0..<10_000 {
            _ = policy.begin()
            if policy.mayHedge() { hedged += 1 }
        }
        #expect(abs(Double(hedged) - (10_000 * part + options.burst)) <= 2)
    }

    @Test("After a quiet time a few at once may be hedged, and no more")
    func burst() {
        var policy = HedgePolicy(.init())
        for _ in 0..<100_000 { _ = policy.begin() }
        let answers = (0..<100).map { _ in policy.mayHedge() }
        #expect(answers.count(where: { $0 }) == 16)
    }

    @Test("A share of zero hedges nothing")
    func off() {
        var options = HedgePolicy.Options()
        options.share = 0
        var policy = HedgePolicy(options)
        _ = policy.begin()
        let may = policy.mayHedge()
        #expect(!may)
    }

    @Test("Quantiles are right within a step, and what is old is forgotten")
    func quantiles() throws {
        var latencies = RecentLatencies()
        #expect(latencies.quantile(0.5) == nil)
        for number in 1...1000 { latencies.record(.milliseconds(number)) }
        for part in [0.1, 0.5, 0.95, 1] {
            let found = try #require(latencies.quantile(part)) / .milliseconds(1)
            #expect(found >= part * 1000 - 1 && found < part * 1000 * 1.2, "\(part): \(found)")
        }
        for _ in 0..<10_000 { latencies.record(.milliseconds(2)) }
        #expect(try #require(latencies.quantile(0.99)) < .milliseconds(3))
        latencies.record(.seconds(100_000))
        #expect(try #require(latencies.quantile(1)) > .seconds(60))
    }
}
