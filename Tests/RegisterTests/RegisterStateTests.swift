import Model
import Testing

@testable import Register

@Suite struct RegisterStateTests {
    @Test("the first write has sequence 1 and its own operation")
    func first() {
        let made = State.successor(of: nil, writing: "x", operation: operation(1), ballot: ballot(3))
        #expect(made == State(tag: ballot(3), sequence: 1, recentOperations: [operation(1)], record: "x"))
    }

    @Test("only the last eight operations are kept, newest last")
    func window() {
        var current: State?
        for number in 1...11 as ClosedRange<UInt64> {
            current = .successor(of: current, writing: "x", operation: operation(number), ballot: ballot(number))
        }
        #expect(current?.sequence == 11)
        #expect(current?.recentOperations == (4...11).map { operation($0) })
    }

    @Test("a sequence at its end stays there")
    func saturation() {
        let last = state("x", 3, sequence: .max)
        let next = State.successor(of: last, writing: "y", operation: operation(1), ballot: ballot(4))
        #expect(next.sequence == .max)
    }

    @Test("finishing a round changes the tag alone")
    func retagged() {
        let old = state("x", 3)
        let new = old.retagged(ballot(5))
        #expect(new.tag == ballot(5))
        #expect(new.retagged(old.tag) == old)
    }

    @Test("absent and deleted registers are not live")
    func live() {
        #expect(state("x", 1).isLive)
        #expect(!state(.tombstone, 1).isLive)
        #expect(!State(tag: ballot(1), sequence: 0, recentOperations: [], record: nil).isLive)
    }

    @Test("the clock goes past what it has seen, and never past the end")
    func clock() {
        var clock = WriterClock()
        #expect(clock.next() == 1)
        clock.observe(10)
        clock.observe(5)
        #expect(clock.next() == 11)
        clock.observe(.max)
        #expect(clock.next() == 12)
        clock.observe(Ballot.counterMax)
        #expect(clock.next() == Ballot.counterMax)
    }

    @Test("the first repetition is immediate, later ones are bounded")
    func backOff() {
        var random = SystemRandomNumberGenerator()
        #expect(BackOff.milliseconds(afterAttempt: 1, using: &random) == 0)
        for attempt in 2...40 {
            #expect((0...256).contains(BackOff.milliseconds(afterAttempt: attempt, using: &random)))
        }
    }
}
