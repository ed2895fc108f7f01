import Linearizability
import Testing

@Suite struct SearchCheckerTests {
    @Test(
        "deletes and conditions that some order explains",
        arguments: [
            [put("a", 1, 2), delete(3, 4), get(nil, 5, 6)],
            [delete(1, 2), putIf(.absent, "a", 3, 4), putIf(.absent, "b", 5, 6, .refused), get("a", 7, 8)],
            [put("a", 1, 2), putIf(.holds("a"), "b", 3, 4), putIf(.holds("a"), "c", 5, 6, .refused), get("b", 7, 8)],
            // Two races for one name: one wins.
            [putIf(.absent, "a", 1, 9), putIf(.absent, "b", 1, 9, .refused), get("a", 10, 11)],
            // The refused one has seen a write whose outcome was never known.
            [put("a", 1, nil), putIf(.absent, "b", 3, 4, .refused), get("a", 5, 6)],
            // A conditional put of unknown outcome may have met the condition or not.
            [put("a", 1, 2), putIf(.holds("x"), "b", 3, nil), get("a", 5, 6)],
            [put("a", 1, 2), putIf(.holds("a"), "b", 3, nil), get("a", 5, 6), get("b", 7, 8)],
            // Absent twice, with a life between.
            [put("a", 1, 2), delete(3, 4), get(nil, 5, 6), put("b", 7, 8), delete(9, 10), get(nil, 11, 12)],
        ])
    func explained(history: [HistoryOperation]) {
        #expect(HistoryChecker.checkKey(history) == .linearizable)
    }

    @Test(
        "deletes and conditions that no order explains",
        arguments: [
            // The deleted comes back.
            [put("a", 1, 2), delete(3, 4), get("a", 5, 6)],
            // Both win.
            [putIf(.absent, "a", 1, 9), putIf(.absent, "b", 1, 9)],
            // Refused without a reason.
            [delete(1, 2), putIf(.absent, "b", 3, 4, .refused)],
            [put("a", 1, 2), putIf(.holds("a"), "b", 3, 4, .refused), get("a", 5, 6)],
            // Accepted without a reason.
            [put("a", 1, 2), putIf(.holds("b"), "c", 3, 4)],
            // Refused because of a write that is then nowhere.
            [putIf(.absent, "b", 3, 4, .refused), get(nil, 5, 6)],
        ])
    func unexplained(history: [HistoryOperation]) {
        #expect(HistoryChecker.checkKey(history).isViolation)
    }

    @Test("a search without budget is undecided, not a verdict")
    func budget() {
        let history = (0..<10).map { delete($0, 100 + $0) } + [put("a", 1, 90), get("a", 200, 201)]
        #expect(SearchChecker.check(history, budget: 1) == .undecided)
        #expect(SearchChecker.check(history) == .linearizable)
    }

    @Test("a thousand operations of ten clients are checked in well under a second")
    func size() {
        var history: [HistoryOperation] = []
        for round in 0..<100 as Range<Int64> {
            for client in 0..<10 as Range<Int64> {
                let (call, returned) = (round * 100 + client, round * 100 + 50 + client)
                switch (round + client) % 4 {
                case 0: history.append(put("\(round).\(client)", call, returned))
                case 1: history.append(delete(call, client == 5 ? nil : returned))
                case 2: history.append(putIf(.holds("never"), "x", call, returned, .refused))
                default: history.append(get(nil, round * 100 + 60 + client, round * 100 + 90))
                }
            }
        }
        #expect(SearchChecker.check(history) == .linearizable)
        history.append(get("never", 20_000, 20_001))
        #expect(SearchChecker.check(history).isViolation)
    }

    @Test("keys are checked apart")
    func keys() {
        var other = get("b", 5, 6)
        other.key = "l"
        let found = HistoryChecker.check([put("a", 1, 2), get("a", 3, 4), other])
        #expect(found.map(\.key) == ["l"])
    }
}
