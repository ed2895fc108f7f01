import Model
import Testing

@testable import Register

/// A replica that has lost records of unknown keys, and the fence that its healing needs at the others.
@Suite struct ReplicaDoubtTests {
    typealias Replica = RegisterReplica<String, Word>

    // MARK: - Fence

    @Test("behind a fence nothing up to its counter is promised or accepted, above it everything is as before")
    func fence() {
        var replica = Replica(ceiling: 100, ceilingStep: 100)
        _ = replica.stage("k", ballot: ballot(110), stored: .absent)
        #expect(replica.fence(to: 150).answer == .fenced)
        #expect(replica.promiseCount == 0)
        for counter in [110, 150] as [UInt64] {
            #expect(
                replica.commit("k", state("x", counter, writer: 1), stored: .absent).answer
                    == .refused(promise: ballot(150, .max)))
        }
        #expect(replica.stage("new", ballot: ballot(151), stored: .absent).answer == .promised(state: nil))
        #expect(replica.commit("k", state("x", 151), stored: .absent).answer == .accepted)
    }

    @Test("a fence below a promise leaves the promise in force")
    func lowFence() {
        var replica = Replica(ceiling: 100, ceilingStep: 100)
        _ = replica.stage("k", ballot: ballot(140), stored: .absent)
        #expect(replica.fence(to: 120).answer == .fenced)
        #expect(replica.commit("k", state("x", 139), stored: .absent).answer == .refused(promise: ballot(140)))
        #expect(replica.stage("l", ballot: ballot(121), stored: .absent).answer == .promised(state: nil))
    }

    @Test("a fence is answered when it is durable, and survives a restart")
    func durable() {
        var replica = Replica(ceiling: 100, ceilingStep: 100)
        let decision = replica.fence(to: 500)
        #expect(decision.raiseCeiling == 600 && decision.after == Durability(ceiling: 500))
        // A second one waits for the same ceiling.
        let again = replica.fence(to: 500)
        #expect(again.raiseCeiling == nil && again.after == Durability(ceiling: 500))
        replica.ceilingRaised(to: 600)
        #expect(replica.fence(to: 500).after == .nothing)
        var later = Replica(ceiling: replica.ceiling, ceilingStep: 100)
        #expect(
            later.commit("k", state("x", 500), stored: .absent).answer == .refused(promise: ballot(600, .max)))
    }

    @Test("a fence waits for what was accepted before it, so that a listing after it is complete")
    func pending() throws {
        var replica = Replica(ceiling: 1 << 30)
        _ = replica.fence(to: 1)
        let counter = UInt64(1) << 31
        replica.ceilingRaised(to: 1 << 40)
        let first = try #require(replica.commit("k", state("x", counter), stored: .absent).append).ticket
        let second = try #require(replica.commit("l", state("x", counter), stored: .absent).append).ticket
        #expect(replica.fence(to: counter).after.append == second)
        replica.synced(first)
        #expect(replica.fence(to: counter).after.append == second)
        replica.synced(second)
        #expect(replica.fence(to: counter).after.append == nil)
    }

    @Test("an impossible counter fences nothing")
    func impossible() {
        var replica = Replica(ceiling: 0)
        #expect(replica.fence(to: .max).answer == .refused)
        #expect(replica.stage("k", ballot: ballot(1), stored: .absent).answer == .promised(state: nil))
    }

    // MARK: - Doubt

    @Test("with an unknown bound a doubtful key takes nothing at all, however high its ballot")
    func unbounded() {
        var replica = Replica(ceiling: 100, isDoubtful: true)
        #expect(replica.stage("k", ballot: ballot(1 << 40), stored: .doubtful).answer == .abstained)
        #expect(replica.read("k", stored: .doubtful).answer == .abstained)
        #expect(replica.commit("k", state("x", 1 << 40), stored: .doubtful).answer == .abstained)
        #expect(replica.learn("k", state("x", 1 << 40), stored: .doubtful).answer == .abstained)
        #expect(replica.learn("k", state("x", 1 << 40), stored: .unreadable).answer == .abstained)
        // A fence on behalf of another replica says nothing about this one.
        _ = replica.fence(to: 1000)
        #expect(replica.doubt == .unbounded && replica.pendingCount == 0)
        #expect(replica.learn("k", state("x", 1 << 40), stored: .doubtful).answer == .abstained)
    }

    @Test("other keys of a doubtful replica have their vote")
    func otherKeys() {
        var replica = Replica(ceiling: 100, isDoubtful: true)
        #expect(replica.stage("k", ballot: ballot(101), stored: .absent).answer == .promised(state: nil))
        #expect(replica.commit("k", state("x", 101), stored: .found(state("y", 7))).answer == .accepted)
    }

    @Test("a bound lets a newer decided state in, and says above what it must be")
    func learn() {
        var replica = Replica(ceiling: 100, isDoubtful: true, ceilingStep: 100)
        _ = replica.fence(to: 1000, isBound: true)
        #expect(replica.doubt == .bounded(1000))
        let old = replica.learn("k", state("x", 1000), stored: .doubtful)
        #expect(old.answer == .tooOld && old.append == nil && old.counter == 1000)
        #expect(replica.learn("k", state("x", 1001), stored: .doubtful).answer == .learned)
        #expect(replica.read("k", stored: .doubtful).answer == .state(state("x", 1001)))
        // The ceiling moves on with every key, the bound does not.
        #expect(replica.learn("l", state("x", 1002), stored: .doubtful).answer == .learned)
    }

    @Test("a state above the bound is accepted and gives the key its vote; nothing is promised without one")
    func commit() {
        var replica = Replica(ceiling: 100, isDoubtful: true)
        _ = replica.fence(to: 1000, isBound: true)
        #expect(replica.stage("k", ballot: ballot(2000), stored: .doubtful).answer == .abstained)
        #expect(replica.commit("k", state("x", 1000), stored: .doubtful).answer == .abstained)
        #expect(replica.commit("k", state("x", 1001), stored: .doubtful, hasBlobs: false).answer == .blobMissing)
        #expect(replica.commit("k", state("x", 1001), stored: .doubtful).answer == .accepted)
        #expect(
            replica.stage("k", ballot: ballot(1002), stored: .doubtful).answer == .promised(state: state("x", 1001)))
        #expect(
            replica.commit("k", state("y", 1001, writer: 1), stored: .doubtful).answer
                == .refused(promise: ballot(1002)))
    }

    @Test("a bound only grows, a new loss takes it away, trust ends the doubt")
    func course() {
        var replica = Replica(ceiling: 100, isDoubtful: true)
        _ = replica.fence(to: 1000, isBound: true)
        _ = replica.fence(to: 900, isBound: true)
        #expect(replica.doubt == .bounded(1000))
        replica.distrust()
        #expect(replica.doubt == .unbounded)
        _ = replica.fence(to: 5000, isBound: true)
        replica.trust()
        #expect(replica.doubt == .none)
        // What the fence refused stays refused.
        #expect(
            replica.stage("k", ballot: ballot(5000), stored: .absent).answer
                == .refused(state: nil, promise: ballot(5000, .max)))
        _ = replica.fence(to: 6000, isBound: true)
        #expect(replica.doubt == .none)
    }

    @Test("a record that cannot be read is bounded by the present ceiling, which a commit may be above too")
    func unreadableCommit() {
        var replica = Replica(ceiling: 100)
        #expect(replica.commit("k", state("x", 100), stored: .unreadable).answer == .abstained)
        #expect(replica.commit("k", state("x", 101), stored: .unreadable).answer == .accepted)
    }
}
