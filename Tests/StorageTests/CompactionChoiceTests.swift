import Testing

@testable import Storage

@Suite struct CompactionChoiceTests {
    private let choice = CompactionChoice(ratio: 0.4)

    private func candidate(_ segment: UInt32, kept: UInt64, garbage: UInt64) -> CompactionCandidate {
        CompactionCandidate(segment: segment, keptBytes: kept, garbageBytes: garbage)
    }

    @Test(
        "The segment with the most garbage comes first, of equal ones the oldest; those below the ratio are left alone")
    func order() {
        let all = [
            candidate(1, kept: 70, garbage: 30), candidate(2, kept: 60, garbage: 40),
            candidate(3, kept: 10, garbage: 90),
            candidate(4, kept: 60, garbage: 40), candidate(5, kept: 0, garbage: 100),
        ]
        #expect(choice.targets(all, for: .automatic).map(\.segment) == [5, 3, 2, 4])
    }

    @Test("A command takes what has 5 %, a full disk any garbage")
    func thresholds() {
        let all = [
            candidate(1, kept: 100, garbage: 0), candidate(2, kept: 999, garbage: 1),
            candidate(3, kept: 95, garbage: 5),
        ]
        #expect(choice.targets(all, for: .automatic).isEmpty)
        #expect(choice.targets(all, for: .command).map(\.segment) == [3])
        #expect(choice.targets(all, for: .room).map(\.segment) == [3, 2])
    }

    @Test("A segment without anything to keep is always worth it")
    func empty() {
        #expect(choice.targets([candidate(1, kept: 0, garbage: 0)], for: .automatic).map(\.segment) == [1])
        #expect(candidate(1, kept: 0, garbage: 0).garbageRatio == 1)
    }

    @Test("Bytes are paid for at the rate, one after the other; only a moment is saved up")
    func pace() {
        let begin = ContinuousClock.now
        var pace = CompactionPace(rate: 100, now: begin)
        let saved = CompactionPace.savedMax
        #expect(pace.use(50, now: begin) == begin + .milliseconds(500))
        #expect(pace.use(50, now: begin + .milliseconds(100)) == begin + .seconds(1))
        #expect(pace.use(10, now: begin + .seconds(60)) == begin + .milliseconds(60_100) - saved)
        // A rest that ends late does not slow it down.
        #expect(pace.use(10, now: begin + .milliseconds(60_090)) == begin + .milliseconds(60_200) - saved)
        var free = CompactionPace(rate: 0, now: begin)
        #expect(free.use(1 << 40, now: begin) == begin)
    }
}
