import Model
import Testing

@testable import Register

@Suite struct QuorumReadTests {
    private var read = QuorumRead<Word>(rule: QuorumRule(sets: [[a, b, c]], level: .majority(of: 3)))
    private let old = state("old", 3)
    private let new = state("new", 5)

    @Test("two equal answers of the preferred replicas are enough")
    mutating func equal() {
        #expect(read.start() == [.ask([a, b])])
        #expect(read.onAnswer(from: b, state: new) == [])
        #expect(read.onAnswer(from: a, state: new) == [.answer(new, holders: [a, b])])
        #expect(read.isFinished)
        #expect(read.onAnswer(from: c, state: old) == [])
    }

    @Test("a register that was never written is an answer too")
    mutating func absent() {
        _ = read.start()
        _ = read.onAnswer(from: a, state: nil)
        #expect(read.onAnswer(from: b, state: nil) == [.answer(nil, holders: [a, b])])
    }

    @Test("a replica that lags is outvoted by the third")
    mutating func lagging() {
        _ = read.start()
        _ = read.onAnswer(from: a, state: old)
        #expect(read.onAnswer(from: b, state: new) == [.ask([c])])
        #expect(read.onAnswer(from: c, state: new) == [.answer(new, holders: [b, c])])
    }

    @Test("a write that is half done is finished")
    mutating func split() {
        _ = read.start()
        _ = read.onAnswer(from: a, state: old)
        _ = read.onAnswer(from: b, state: new)
        #expect(read.onAnswer(from: c, state: old) == [.finish])
        #expect(read.isFinished)
    }

    @Test("a split that the third cannot settle is finished", arguments: [true, false])
    mutating func splitAndLost(lostFirst: Bool) {
        _ = read.start()
        if lostFirst {
            #expect(read.onUnreachable(a) == [.ask([c])])
            _ = read.onAnswer(from: b, state: new)
            #expect(read.onAnswer(from: c, state: old) == [.finish])
        } else {
            _ = read.onAnswer(from: a, state: old)
            #expect(read.onAnswer(from: b, state: new) == [.ask([c])])
            #expect(read.onUnreachable(c) == [.finish])
        }
    }

    @Test("a lost replica is replaced, two are too many")
    mutating func lost() {
        _ = read.start()
        #expect(read.onUnreachable(b) == [.ask([c])])
        #expect(read.onUnreachable(b) == [])
        #expect(read.onUnreachable(a) == [.fail(missing: [a, b, c])])
    }

    @Test("slow answers are hedged once")
    mutating func slow() {
        _ = read.start()
        #expect(read.onSlow() == [.ask([c])])
        #expect(read.onSlow() == [])
        _ = read.onAnswer(from: c, state: new)
        #expect(read.onAnswer(from: a, state: new) == [.answer(new, holders: [a, c])])
    }

    @Test("when the time is over, a quorum that differs is finished, less fails")
    mutating func timeout() {
        _ = read.start()
        var other = read
        _ = read.onAnswer(from: a, state: new)
        #expect(read.onTimeout() == [.fail(missing: [b, c])])
        _ = other.onAnswer(from: a, state: new)
        _ = other.onAnswer(from: b, state: old)
        #expect(other.onTimeout() == [.finish])
    }

    @Test("strangers and repeated answers count for nothing")
    mutating func ignored() {
        _ = read.start()
        #expect(read.onAnswer(from: d, state: new) == [])
        #expect(read.onUnreachable(d) == [])
        _ = read.onAnswer(from: a, state: new)
        #expect(read.onAnswer(from: a, state: new) == [])
        #expect(read.onUnreachable(a) == [])
    }

    @Test("one answer is enough where the level says so")
    mutating func single() throws {
        let level = try #require(ConsistencyLevel(replicas: 3, write: 3, read: 1, delete: 3))
        read = QuorumRead(rule: QuorumRule(sets: [[a, b, c]], level: level))
        #expect(read.start() == [.ask([a])])
        #expect(read.onAnswer(from: a, state: old) == [.answer(old, holders: [a])])
    }

    @Test("a moving partition is read from both sets")
    mutating func joint() {
        read = QuorumRead(rule: QuorumRule(sets: [[a, b, c], [c, d, e]], level: .majority(of: 3)))
        #expect(read.start() == [.ask([a, b, c, d])])
        _ = read.onAnswer(from: a, state: new)
        _ = read.onAnswer(from: b, state: new)
        #expect(read.onAnswer(from: c, state: new) == [])
        #expect(read.onAnswer(from: d, state: new) == [.answer(new, holders: [a, b, c, d])])
    }
}
