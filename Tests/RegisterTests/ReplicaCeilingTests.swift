import Model
import Testing

@testable import Register

@Suite struct ReplicaCeilingTests {
    typealias Replica = RegisterReplica<String, Word>

    @Test("the first promise of all raises the ceiling and waits for it")
    func first() {
        var replica = Replica(ceiling: 0, ceilingStep: 100)
        let decision = replica.stage("k", ballot: ballot(1), stored: .absent)
        #expect(decision.raiseCeiling == 101)
        #expect(decision.after == Durability(ceiling: 1))
        // The next one waits too, but does not ask again.
        let next = replica.stage("l", ballot: ballot(2), stored: .absent)
        #expect(next.raiseCeiling == nil)
        #expect(next.after == Durability(ceiling: 2))
    }

    @Test("below a durable ceiling nothing waits, and it is raised again half a step ahead")
    func ahead() {
        var replica = Replica(ceiling: 0, ceilingStep: 100)
        _ = replica.stage("k", ballot: ballot(1), stored: .absent)
        replica.ceilingRaised(to: 101)
        let low = replica.stage("k", ballot: ballot(51), stored: .absent)
        #expect(low.after == .nothing && low.raiseCeiling == nil)
        let high = replica.stage("k", ballot: ballot(52), stored: .absent)
        #expect(high.after == .nothing && high.raiseCeiling == 152)
        #expect(replica.stage("k", ballot: ballot(53), stored: .absent).raiseCeiling == nil)
        // A jump beyond what was asked for asks for more at once.
        let jump = replica.stage("k", ballot: ballot(500), stored: .absent)
        #expect(jump.after == Durability(ceiling: 500) && jump.raiseCeiling == 600)
    }

    @Test("an accepted state is covered by the ceiling as well")
    func commit() {
        var replica = Replica(ceiling: 0, ceilingStep: 100)
        let decision = replica.commit("k", state("x", 7), stored: .absent)
        #expect(decision.raiseCeiling == 107)
        #expect(decision.after == Durability(append: decision.append?.ticket, ceiling: 7))
        #expect(replica.commit("k", state("x", 7), stored: .absent).after == decision.after)
    }

    @Test("after a restart everything up to the ceiling counts as promised")
    func restart() {
        var replica = Replica(ceiling: 101, ceilingStep: 100)
        let decision = replica.stage("k", ballot: ballot(101), stored: .absent)
        #expect(decision.answer == .refused(state: nil, promise: ballot(101, .max)))
        #expect(decision.counter == 101)
        #expect(replica.commit("k", state("x", 50), stored: .absent).answer == .refused(promise: ballot(101, .max)))
        #expect(replica.stage("k", ballot: ballot(102), stored: .absent).answer == .promised(state: nil))
    }

    @Test("memory for promises is bounded: the oldest becomes the minimum of all keys")
    func eviction() {
        var replica = Replica(ceiling: 0, promisesMax: 2)
        _ = replica.stage("k", ballot: ballot(10), stored: .absent)
        _ = replica.stage("l", ballot: ballot(20), stored: .absent)
        _ = replica.stage("m", ballot: ballot(30), stored: .absent)
        #expect(replica.promiseCount == 2)
        #expect(
            replica.stage("k", ballot: ballot(9), stored: .absent).answer == .refused(state: nil, promise: ballot(10)))
        #expect(
            replica.stage("new", ballot: ballot(10), stored: .absent).answer
                == .refused(state: nil, promise: ballot(10)))
        #expect(
            replica.stage("l", ballot: ballot(19), stored: .absent).answer == .refused(state: nil, promise: ballot(20)))
        #expect(replica.stage("new", ballot: ballot(11), stored: .absent).answer == .promised(state: nil))
    }

    @Test("an accepted ballot needs no memory of its promise")
    func forgetting() {
        var replica = Replica(ceiling: 0)
        for number in 1...10 as ClosedRange<UInt64> {
            _ = replica.stage("k\(number)", ballot: ballot(number), stored: .absent)
            _ = replica.commit("k\(number)", state("x", number, writer: 1), stored: .absent)
        }
        #expect(replica.promiseCount == 0)
    }

    @Test("promising one key again and again does not grow the table")
    func queueIsCompacted() {
        var table = PromiseTable<String>()
        for number in 1...10_000 as ClosedRange<UInt64> {
            table.set("k\(number % 3)", ballot(number))
            table.set("gone", ballot(number))
            table.remove("gone")
        }
        #expect(table.count == 3)
        #expect(table.queueLength < 200)
        #expect(table.removeOldest() == ballot(9_998))
        #expect(table.removeOldest() == ballot(9_999))
        #expect(table.removeOldest() == ballot(10_000))
        #expect(table.removeOldest() == nil)
    }

    // MARK: - No vote

    @Test("a replica that is not proved complete keeps what it is sent but has no vote")
    func withoutVote() {
        var replica = Replica(ceiling: 0, hasVote: false)
        #expect(replica.stage("k", ballot: ballot(1), stored: .absent).answer == .abstained)
        #expect(replica.read("k", stored: .absent).answer == .abstained)
        let commit = replica.commit("k", state("x", 2), stored: .absent)
        #expect(commit.answer == .abstained && commit.append != nil)
        #expect(replica.learn("l", state("x", 2), stored: .absent).answer == .learned)
    }

    @Test("an unreadable record has no vote until a state above the ceiling is learned")
    func unreadable() throws {
        var replica = Replica(ceiling: 100, ceilingStep: 100)
        #expect(replica.stage("k", ballot: ballot(200), stored: .unreadable).answer == .abstained)
        #expect(replica.read("k", stored: .unreadable).answer == .abstained)
        #expect(replica.commit("k", state("x", 100), stored: .unreadable).answer == .abstained)
        #expect(replica.pendingCount == 0)
        let old = replica.learn("k", state("x", 100), stored: .unreadable)
        #expect(old.answer == .tooOld && old.append == nil && old.counter == 100)
        let new = replica.learn("k", state("x", 101), stored: .unreadable)
        #expect(new.answer == .learned)
        #expect(new.after == Durability(append: try #require(new.append).ticket, ceiling: 101))
        #expect(replica.read("k", stored: .unreadable).answer == .state(state("x", 101)))
    }
}
