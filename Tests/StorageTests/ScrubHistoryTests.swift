import Foundation
import Testing

@testable import Storage

@Suite struct ScrubHistoryTests {
    @Test("A round reads what was sealed when it began, the longest unread first; a restart goes on")
    func round() throws {
        var history = ScrubHistory()
        #expect(history.left(of: [1, 2, 3]).isEmpty)
        history.begin([1, 2, 3], now: 1000)
        #expect(history.left(of: [1, 2, 3, 4]) == [1, 2, 3])
        history.scrubbed(1, now: 1010)
        let restarted = try JSONDecoder().decode(ScrubHistory.self, from: JSONEncoder().encode(history))
        #expect(restarted == history && restarted.left(of: [1, 2, 3, 4]) == [2, 3])
        history.scrubbed(3, now: 1020)
        history.scrubbed(2, now: 1030)
        #expect(history.left(of: [1, 2, 3, 4]).isEmpty)
        history.finish([1, 2, 3, 4], now: 1040)
        #expect(!history.isRunning && history.roundFinished == 1040)
        history.begin([1, 2, 3, 4], now: 2000)
        #expect(history.left(of: [1, 2, 3, 4]) == [4, 1, 3, 2])
    }

    @Test("Segments that compaction has removed are not waited for, and forgotten")
    func removed() {
        var history = ScrubHistory()
        history.begin([1, 2], now: 10)
        history.scrubbed(1, now: 20)
        #expect(history.left(of: []).isEmpty)
        history.finish([2], now: 30)
        #expect(history.segments.isEmpty)
    }

    @Test("The next round is due an interval after the beginning of the last, but not before its end")
    func due() {
        var history = ScrubHistory()
        #expect(history.due(every: 100) == 100 && history.due(every: 0) == nil)
        history.begin([1], now: 1000)
        history.finish([1], now: 1010)
        #expect(history.due(every: 100) == 1100)
        history.begin([1], now: 2000)
        history.finish([1], now: 2500)
        #expect(history.due(every: 100) == 2500)
    }

    @Test("A wall clock that stands still or goes back does not end a round early, nor read a segment twice")
    func clock() {
        var history = ScrubHistory()
        history.begin([1], now: 1000)
        history.scrubbed(1, now: 500)
        #expect(history.left(of: [1]).isEmpty)
        history.finish([1], now: 500)
        history.begin([1], now: 400)
        #expect(history.left(of: [1]) == [1])
        history.scrubbed(1, now: 400)
        #expect(history.left(of: [1]).isEmpty)
    }

    @Test("Bytes come at the set rate, with a small burst; the rate can change")
    func pace() {
        var pace = BytePace(perSecond: 1000, now: .zero)
        #expect(pace.take(100, now: .zero) == .zero)
        #expect(pace.take(500, now: .zero) == .milliseconds(500))
        #expect(pace.take(0, now: .milliseconds(500)) == .zero)
        #expect(pace.take(100, now: .seconds(100)) == .zero)
        #expect(pace.take(1000, now: .seconds(100)) == .seconds(1))
        pace.change(perSecond: 2000)
        #expect(pace.take(0, now: .seconds(100)) == .milliseconds(500))
    }
}
