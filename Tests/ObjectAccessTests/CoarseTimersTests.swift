import ObjectAccess
import Testing

@Suite struct CoarseTimersTests {
    private let timers = CoarseTimers.shared

    private func fire(after delay: Duration) async {
        await withCheckedContinuation { continuation in timers.after(delay) { continuation.resume() } }
    }

    @Test("every timer fires once, whatever was set before and after it")
    func everyTimer() async {
        await withTaskGroup(of: Void.self) { group in
            for milliseconds in [30, 0, 7, 7, 1, 60, 0, 15] {
                group.addTask { await fire(after: .milliseconds(milliseconds)) }
            }
        }
    }

    @Test("no timer fires before its time")
    func notEarly() async {
        let start = ContinuousClock.now
        await fire(after: .milliseconds(20))
        #expect(ContinuousClock.now - start >= .milliseconds(20))
    }

    @Test("a timer fires that is set when there has been none for a while")
    func afterIdleness() async {
        for _ in 0..<3 { await fire(after: .milliseconds(1)) }
    }

    @Test("a timer that another one sets fires")
    func nested() async {
        await withCheckedContinuation { continuation in
            timers.after(.milliseconds(1)) { timers.after(.zero) { continuation.resume() } }
        }
    }
}
