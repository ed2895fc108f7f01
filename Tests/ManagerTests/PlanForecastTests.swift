import Testing

@testable import Manager

@Suite("When a plan of the ring ends")
struct PlanForecastTests {
    @Test("Nobody knows before the first step; then it is the rate of the last steps")
    func steps() {
        var forecast = PlanForecast(plan: 1, open: 100, now: .seconds(10))
        #expect(forecast.secondsLeft(now: .seconds(20)) == nil && forecast.copiedPerSecond(now: .seconds(10)) == nil)
        forecast.copied(300)
        forecast.note(open: 80, isRunning: true, now: .seconds(20))
        #expect(forecast.secondsLeft(now: .seconds(20)) == 40)
        #expect(forecast.copiedPerSecond(now: .seconds(20)) == 30)
        #expect(forecast.secondsLeft(now: .seconds(25)) == 35, "it comes nearer")
        // Eight steps in half the time each: the first one no longer counts.
        for step in 1...8 { forecast.note(open: 80 - step * 5, isRunning: true, now: .seconds(20 + step)) }
        #expect(forecast.secondsLeft(now: .seconds(28)) == 8)
    }

    @Test("Of a plan that stands still the end moves away")
    func stalls() throws {
        var forecast = PlanForecast(plan: 1, open: 4, now: .zero)
        forecast.note(open: 2, isRunning: true, now: .seconds(2))
        let later = try [4, 10, 100].map { try #require(forecast.secondsLeft(now: .seconds($0))) }
        #expect(later == [2, 8, 98])
    }

    @Test("A pause does not count")
    func pause() {
        var forecast = PlanForecast(plan: 1, open: 10, now: .zero)
        forecast.note(open: 8, isRunning: true, now: .seconds(2))
        forecast.note(open: 8, isRunning: false, now: .seconds(100))
        #expect(forecast.secondsLeft(now: .seconds(100)) == nil)
        forecast.note(open: 6, isRunning: true, now: .seconds(102))
        #expect(forecast.secondsLeft(now: .seconds(102)) == 6)
    }
}
