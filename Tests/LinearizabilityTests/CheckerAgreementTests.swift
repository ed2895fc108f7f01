import Linearizability
import Testing

/// Each checker is the test of the other.
@Suite struct CheckerAgreementTests {
    @Test("zones and search agree on random small histories, right and wrong ones")
    func agreement() throws {
        var random = SplitMix(state: 1)
        var violations = 0
        for _ in 0..<3000 {
            let history = Self.randomHistory(&random)
            let zones = try #require(ZoneChecker.check(history))
            #expect(zones.isViolation == SearchChecker.check(history).isViolation, "\(history)")
            violations += zones.isViolation ? 1 : 0
        }
        #expect((300...2700).contains(violations))
    }

    private static func randomHistory(_ random: inout SplitMix) -> [HistoryOperation] {
        let puts = Int.random(in: 0...4, using: &random)
        var history = (0..<puts).map { index -> HistoryOperation in
            let call = Int64.random(in: 0..<20, using: &random)
            let returned = call + Int64.random(in: 0..<12, using: &random)
            return put("v\(index)", call, Int.random(in: 0..<5, using: &random) == 0 ? nil : returned)
        }
        for _ in 0..<Int.random(in: 0...4, using: &random) {
            let call = Int64.random(in: 0..<25, using: &random)
            let value = Int.random(in: -1..<max(puts, 1), using: &random)
            history.append(get(value < 0 ? nil : "v\(value)", call, call + Int64.random(in: 0..<12, using: &random)))
        }
        return history
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ z >> 30) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ z >> 27) &* 0x94d0_49bb_1331_11eb
        return z ^ z >> 31
    }
}
