import Model
import Testing

@testable import Register

/// Tombstones that are dropped, and what stays of them.
@Suite struct ReplicaPurgeTests {
    typealias Replica = RegisterReplica<String, Word>
    private var replica = Replica(ceiling: 0)
    private let tombstone = state(.tombstone, 7, sequence: 5)

    init() { replica.ceilingRaised(to: 1 << 30) }

    private func append(_ decision: PurgeDecision<Word>) -> ReplicaPurge? {
        #expect(decision.answer == .purged && decision.after.append == decision.purge?.ticket)
        return decision.purge
    }

    @Test("exactly the durable tombstone is purged, and the floor is raised to it")
    mutating func purge() throws {
        let purge = try #require(
            append(replica.purge("k", tag: tombstone.tag, stored: .found(tombstone))))
        #expect(purge.tag == tombstone.tag)
        #expect(purge.floor == PurgeFloor(ballot: tombstone.tag, sequence: 5) && replica.floor == purge.floor)
    }

    @Test("another tag, a value, nothing, or what is not durable is kept")
    mutating func kept() {
        #expect(replica.purge("k", tag: ballot(6, 9), stored: .found(tombstone)).answer == .kept)
        #expect(replica.purge("k", tag: ballot(7, 9), stored: .found(state("x", 7))).answer == .kept)
        #expect(replica.purge("k", tag: tombstone.tag, stored: .absent).answer == .kept)
        _ = replica.commit("k", tombstone, stored: .absent)
        #expect(replica.purge("k", tag: tombstone.tag, stored: .absent).answer == .kept)
        #expect(replica.floor == .zero)
    }

    @Test("who has no vote for the key purges nothing", arguments: [DurableState<Word>.unreadable, .doubtful])
    mutating func abstains(stored: DurableState<Word>) {
        #expect(replica.purge("k", tag: tombstone.tag, stored: stored).answer == .abstained)
    }

    @Test("the key is absent from the decision on, and whoever is told so waits for its sync")
    mutating func absent() throws {
        let purge = try #require(append(replica.purge("k", tag: tombstone.tag, stored: .found(tombstone))))
        let read = replica.read("k", stored: .found(tombstone))
        #expect(read.answer == .state(nil) && read.after.append == purge.ticket)
        #expect(replica.purge("k", tag: tombstone.tag, stored: .found(tombstone)).answer == .kept)
        replica.synced(purge.ticket)
        #expect(replica.read("k", stored: .absent).after == .nothing)
    }

    @Test("a state that was written over a purge counts, also while the purge is not yet durable")
    mutating func overwritten() throws {
        _ = try #require(append(replica.purge("k", tag: tombstone.tag, stored: .found(tombstone))))
        let new = state("y", 9)
        #expect(replica.commit("k", new, stored: .found(tombstone)).answer == .accepted)
        #expect(replica.read("k", stored: .found(tombstone)).answer == .state(new))
        #expect(replica.purge("k", tag: new.tag, stored: .found(tombstone)).answer == .kept)
    }

    @Test("for keys without a state ballots up to the floor count as promised")
    mutating func promised() {
        replica.raiseFloor(to: PurgeFloor(ballot: ballot(7, 9), sequence: 5))
        #expect(
            replica.stage("k", ballot: ballot(7, 9), stored: .absent).answer
                == .refused(state: nil, promise: ballot(7, 9)))
        #expect(replica.commit("k", state("x", 7), stored: .absent).answer == .refused(promise: ballot(7, 9)))
        #expect(replica.stage("k", ballot: ballot(8), stored: .absent).answer == .promised(state: nil))
        let old = state("x", 3)
        #expect(replica.stage("l", ballot: ballot(4), stored: .found(old)).answer == .promised(state: old))
    }

    @Test("nothing up to the floor is learned for a key without a state")
    mutating func learn() {
        replica.raiseFloor(to: PurgeFloor(ballot: ballot(7, 9), sequence: 5))
        let decision = replica.learn("k", state("x", 7), stored: .absent)
        #expect(decision.answer == .tooOld && decision.counter >= 7 && decision.append == nil)
        #expect(replica.learn("k", state("x", 8), stored: .absent).answer == .learned)
        #expect(replica.learn("l", state("y", 4), stored: .found(state("x", 3))).answer == .learned)
    }

    @Test("a promise for a key without a state says above which sequence its chain begins")
    mutating func base() {
        #expect(replica.stage("k", ballot: ballot(1), stored: .absent).base == 0)
        replica.raiseFloor(to: PurgeFloor(ballot: ballot(7), sequence: 5))
        #expect(replica.stage("k", ballot: ballot(8), stored: .absent).base == 5 + UInt64(Limits.recentOperations))
        #expect(replica.stage("k", ballot: ballot(9), stored: .found(tombstone)).base == 0)
    }

    @Test("a floor only grows, in ballot and sequence each for itself, and a start has it again")
    mutating func grows() {
        replica.raiseFloor(to: PurgeFloor(ballot: ballot(7), sequence: 5))
        replica.raiseFloor(to: PurgeFloor(ballot: ballot(3), sequence: 9))
        #expect(replica.floor == PurgeFloor(ballot: ballot(7), sequence: 9))
        var again = Replica(ceiling: 0, floor: replica.floor)
        #expect(again.learn("k", state("x", 7, writer: 0), stored: .absent).answer == .tooOld)
        #expect(PurgeFloor(ballot: .zero, sequence: .max).base > 1 << 60)
    }
}
