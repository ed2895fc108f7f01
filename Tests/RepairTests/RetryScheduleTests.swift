import Testing

@testable import Repair

@Suite struct RetryScheduleTests {
    @Test("What failed waits for a time that doubles, up to a limit")
    func doubles() {
        var schedule = RetrySchedule<String>()
        var now = Duration.zero
        var waits: [Duration] = []
        for _ in 0..<12 {
            #expect(schedule.allows("a", now: now))
            schedule.failed("a", now: now)
            #expect(!schedule.allows("a", now: now) && schedule.allows("b", now: now))
            waits.append(schedule.next! - now)
            now = schedule.next!
        }
        #expect(waits.prefix(4) == [.seconds(2), .seconds(4), .seconds(8), .seconds(16)])
        #expect(waits.last == .seconds(600))
    }

    @Test("What is no longer wanted is forgotten")
    func forgets() {
        var schedule = RetrySchedule<Int>()
        for key in 0..<10 { schedule.failed(key, now: .zero) }
        schedule.retain { $0 == 3 }
        #expect(schedule.allows(4, now: .zero) && !schedule.allows(3, now: .zero))
        schedule.retain { _ in false }
        #expect(schedule.next == nil)
    }
}
