import Testing

@testable import Replicator

@Suite struct TargetBackOffTests {
    @Test("A node that failed is left alone, longer each time, up to a limit")
    func doubles() {
        var backOff = TargetBackOff()
        #expect(backOff.allows("a", now: .zero))
        backOff.failed("a", now: .zero)
        #expect(!backOff.allows("a", now: .milliseconds(999)) && backOff.allows("a", now: .seconds(1)))
        backOff.failed("a", now: .seconds(1))
        #expect(!backOff.allows("a", now: .milliseconds(2999)) && backOff.allows("a", now: .seconds(3)))
        for _ in 0..<10 { backOff.failed("a", now: .seconds(10)) }
        #expect(backOff.allows("a", now: .seconds(10) + TargetBackOff.longest))
    }

    @Test("Other nodes are not concerned, and success ends the pause")
    func others() {
        var backOff = TargetBackOff()
        backOff.failed("a", now: .zero)
        #expect(backOff.allows("b", now: .zero))
        backOff.succeeded("a")
        #expect(backOff.allows("a", now: .zero))
    }
}
