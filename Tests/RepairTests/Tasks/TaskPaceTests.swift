import Testing

@testable import Repair

@Suite struct TaskPaceTests {
    @Test("A rate is kept over time, with bursts of a tenth of a second")
    func rate() {
        var pace = TaskPace(objectsPerSecond: 100, now: .zero)
        #expect(pace.take(objects: 10, now: .zero) == .zero)
        #expect(pace.take(objects: 50, now: .zero) == .seconds(0.5))
        #expect(pace.take(objects: 10, now: .seconds(1)) == .zero)
        #expect(pace.take(objects: 10, now: .seconds(100)) == .zero)
        #expect(pace.take(objects: 1, now: .seconds(100)) == .seconds(0.01))
    }

    @Test("What was copied is waited for before the next objects")
    func bytes() {
        var pace = TaskPace(objectsPerSecond: 1_000_000, bytesPerSecond: 1000, now: .zero)
        #expect(pace.take(objects: 1, now: .zero) == .zero)
        pace.copied(bytes: 4000, now: .zero)
        #expect(pace.take(objects: 1, now: .zero) == .seconds(3.9))
        #expect(pace.take(objects: 1, now: .seconds(3.9)) == .zero)
    }

    @Test("It gives way while requests take longer than they did, never stops, and comes back")
    func yields() {
        var pace = TaskPace(objectsPerSecond: 100, now: .zero)
        var now = Duration.zero
        func observe(_ delay: Duration, times: Int) {
            for _ in 0..<times {
                now += .milliseconds(500)
                pace.observe(delay: delay, now: now)
            }
        }
        observe(.milliseconds(2), times: 10)
        #expect(pace.part == 1)
        observe(.milliseconds(9), times: 10)
        #expect(pace.part == 1, "what is short in any case says nothing")
        observe(.milliseconds(60), times: 3)
        #expect(pace.part == 1.0 / 8)
        observe(.milliseconds(60), times: 20)
        #expect(pace.part == TaskPace.slowestPart)
        #expect(pace.take(objects: 2, now: now) > .seconds(1))
        observe(.milliseconds(2), times: 40)
        #expect(pace.part == 1)
    }

    @Test("A node that was always slow is no reason to give way, a refusal always is")
    func refusals() {
        var pace = TaskPace(objectsPerSecond: 100, now: .zero)
        for second in 1...200 { pace.observe(delay: .milliseconds(80), now: .seconds(second)) }
        #expect(pace.part == 1)
        pace.observe(delay: .milliseconds(1), isRefused: true, now: .seconds(201))
        #expect(pace.part == 0.5)
    }

    @Test("A task that knows nothing yet begins slowly, and is at its limit after some seconds")
    func begins() {
        var pace = TaskPace(objectsPerSecond: 100, part: TaskPace.firstPart, now: .zero)
        #expect(pace.take(objects: 10, now: .zero) > .zero && pace.part == TaskPace.firstPart)
        for half in 1...10 { pace.observe(delay: .milliseconds(2), now: .milliseconds(500 * half)) }
        #expect(pace.part == 1)
    }

    @Test("Throughput and estimated end are those of the last half minute")
    func throughput() {
        var throughput = TaskThroughput(now: .zero)
        var progress = TaskProgress(total: 1000)
        #expect(throughput.secondsLeft(progress, now: .seconds(1)) == nil)
        for second in 1...100 {
            progress.done += second <= 50 ? 1 : 10
            progress.bytes += 2048
            throughput.note(progress, now: .seconds(second))
        }
        let rates = throughput.rates(progress, now: .seconds(100))
        #expect(rates.done == 10 && rates.bytes == 2048)
        #expect(throughput.secondsLeft(progress, now: .seconds(100)) == 45)
        progress.done = 1000
        #expect(throughput.secondsLeft(progress, now: .seconds(100)) == 0)
    }
}
