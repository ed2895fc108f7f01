import Linearizability
import Testing

@Suite struct ZoneCheckerTests {
    @Test(
        "histories that some order explains",
        arguments: [
            [],
            [put("a", 1, 2), get("a", 3, 4)],
            [get(nil, 1, 2), put("a", 3, 4), get("a", 5, 6)],
            // Concurrent with the put: old and new are both right, in this order.
            [put("a", 1, 10), get(nil, 2, 3), get("a", 4, 5)],
            [put("a", 1, 10), put("b", 1, 10), get("b", 11, 12), get("b", 13, 14)],
            // The outcome is unknown: it may have happened, late, or not at all.
            [put("a", 1, 2), put("b", 3, nil), get("a", 5, 6), get("b", 7, 8)],
            [put("a", 1, 2), put("b", 3, nil), get("a", 5, 6)],
        ])
    func explained(history: [HistoryOperation]) {
        #expect(ZoneChecker.check(history) == .linearizable)
        #expect(SearchChecker.check(history) == .linearizable)
    }

    @Test(
        "histories that no order explains",
        arguments: [
            // A stale read.
            [put("a", 1, 2), put("b", 3, 4), get("a", 5, 6)],
            // An acknowledged write is lost.
            [put("a", 1, 2), get(nil, 3, 4)],
            // New, then old.
            [put("a", 1, 10), get("a", 2, 3), get(nil, 4, 5)],
            [put("a", 1, 2), put("b", 3, nil), get("b", 5, 6), get("a", 7, 8)],
            // From nowhere, from the future.
            [get("a", 1, 2)],
            [get("a", 1, 2), put("a", 3, 4)],
            // Two readers disagree on the order of two writes.
            [put("a", 1, 10), put("b", 1, 10), get("a", 11, 12), get("b", 13, 14), get("a", 15, 16)],
            // Put while another value was there all the time.
            [put("a", 1, 2), put("b", 5, 6), get("a", 3, 4), get("a", 7, 8)],
        ])
    func unexplained(history: [HistoryOperation]) {
        #expect(ZoneChecker.check(history)?.isViolation == true)
        #expect(SearchChecker.check(history).isViolation)
    }

    @Test("operations that tell nothing are left out")
    func silent() {
        var failed = put("b", 3, 4)
        failed.outcome = .failed
        var unanswered = get("x", 5, 6)
        unanswered.outcome = .unknown
        let history = [put("a", 1, 2), failed, unanswered, get("a", 7, 8)]
        #expect(ZoneChecker.check(history) == .linearizable)
        #expect(SearchChecker.check(history) == .linearizable)
    }

    @Test("deletes, conditions and repeated values are left to the search")
    func unsupported() {
        #expect(ZoneChecker.check([delete(1, 2)]) == nil)
        #expect(ZoneChecker.check([putIf(.absent, "a", 1, 2)]) == nil)
        #expect(ZoneChecker.check([put("a", 1, 2), put("a", 3, 4)]) == nil)
    }
}
