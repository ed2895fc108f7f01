import Model
import Testing

@testable import Register

@Suite struct RegisterReplicaTests {
    /// With a ceiling so high that only the tests of the ceiling meet it.
    private var replica = Replica(ceiling: 0)

    typealias Replica = RegisterReplica<String, Word>

    init() {
        replica.ceilingRaised(to: 1 << 19)
        _ = replica.stage("other", ballot: ballot(1), stored: .absent)
        replica.ceilingRaised(to: 1 << 30)
    }

    // MARK: - Stage

    @Test("a first ballot is promised, with the stored state")
    mutating func promise() {
        let old = state("x", 3)
        let decision = replica.stage("k", ballot: ballot(5), stored: .found(old))
        #expect(decision.answer == .promised(state: old))
        #expect(decision.after == .nothing)
        #expect(decision.append == nil)
        #expect(decision.counter == 5)
    }

    @Test("an equal or lower ballot is refused with the promise", arguments: [ballot(5), ballot(5, 0), ballot(4, 9)])
    mutating func refuse(late: Ballot) {
        _ = replica.stage("k", ballot: ballot(5), stored: .absent)
        let decision = replica.stage("k", ballot: late, stored: .absent)
        #expect(decision.answer == .refused(state: nil, promise: ballot(5)))
    }

    @Test("the writer decides between equal counters")
    mutating func writers() {
        _ = replica.stage("k", ballot: ballot(5, 1), stored: .absent)
        #expect(replica.stage("k", ballot: ballot(5, 2), stored: .absent).answer == .promised(state: nil))
    }

    @Test("a ballot below the accepted tag is refused")
    mutating func belowTag() {
        let old = state("x", 7)
        let decision = replica.stage("k", ballot: ballot(6), stored: .found(old))
        #expect(decision.answer == .refused(state: old, promise: old.tag))
    }

    @Test("keys have promises of their own")
    mutating func keys() {
        _ = replica.stage("k", ballot: ballot(5), stored: .absent)
        #expect(replica.stage("l", ballot: ballot(2), stored: .absent).answer == .promised(state: nil))
    }

    @Test("an impossible counter is refused and changes nothing")
    mutating func counterMax() {
        guard case .refused = replica.stage("k", ballot: ballot(.max), stored: .absent).answer else {
            Issue.record("promised")
            return
        }
        #expect(replica.stage("k", ballot: ballot(2), stored: .absent).answer == .promised(state: nil))
        let answer = replica.commit("k", state("x", .max), stored: .absent).answer
        #expect(answer == .refused(promise: ballot(Ballot.counterMax, .max)))
        #expect(replica.learn("k", state("x", .max), stored: .absent).append == nil)
    }

    // MARK: - Commit

    @Test("a commit under its promise is appended and acknowledged after the sync")
    mutating func accept() throws {
        _ = replica.stage("k", ballot: ballot(5), stored: .absent)
        let new = state("x", 5, writer: 1)
        let decision = replica.commit("k", new, stored: .absent)
        let append = try #require(decision.append)
        #expect(append.state == new)
        #expect(decision.answer == .accepted)
        #expect(decision.after == Durability(append: append.ticket))
    }

    @Test("a commit without any promise is accepted too")
    mutating func acceptUnpromised() {
        #expect(replica.commit("k", state("x", 5), stored: .absent).answer == .accepted)
    }

    @Test("a commit below the promise is refused")
    mutating func acceptBelowPromise() {
        _ = replica.stage("k", ballot: ballot(6), stored: .absent)
        let decision = replica.commit("k", state("x", 5), stored: .absent)
        #expect(decision.answer == .refused(promise: ballot(6)))
        #expect(decision.append == nil)
    }

    @Test("a commit below the accepted tag is refused")
    mutating func acceptBelowTag() {
        let old = state("y", 7)
        #expect(replica.commit("k", state("x", 5), stored: .found(old)).answer == .refused(promise: old.tag))
    }

    @Test("a repeated commit is acknowledged again, after the same sync, and not appended again")
    mutating func repeated() throws {
        let new = state("x", 5)
        let ticket = try #require(replica.commit("k", new, stored: .absent).append).ticket
        let again = replica.commit("k", new, stored: .absent)
        #expect(again.answer == .accepted && again.append == nil && again.after == Durability(append: ticket))
        replica.synced(ticket)
        let late = replica.commit("k", new, stored: .found(new))
        #expect(late.answer == .accepted && late.append == nil && late.after == .nothing)
    }

    @Test("without its blobs a commit changes nothing")
    mutating func blobMissing() {
        let new = state("x", 5)
        let decision = replica.commit("k", new, stored: .absent, hasBlobs: false)
        #expect(decision.answer == .blobMissing && decision.append == nil)
        #expect(replica.read("k", stored: .absent).answer == .state(nil))
        _ = replica.stage("k", ballot: ballot(6), stored: .absent)
        #expect(replica.commit("k", new, stored: .absent, hasBlobs: false).answer == .refused(promise: ballot(6)))
    }

    // MARK: - What is not synced yet

    @Test("every answer that shows an unsynced state waits for its sync")
    mutating func overlay() throws {
        let old = state("x", 3)
        let new = state("y", 5)
        let ticket = try #require(replica.commit("k", new, stored: .found(old)).append).ticket
        let wait = Durability(append: ticket)

        let read = replica.read("k", stored: .found(old))
        #expect(read.answer == .state(new) && read.after == wait)
        let promise = replica.stage("k", ballot: ballot(6), stored: .found(old))
        #expect(promise.answer == .promised(state: new) && promise.after == wait)
        let refusal = replica.stage("k", ballot: ballot(4), stored: .found(old))
        #expect(refusal.answer == .refused(state: new, promise: ballot(6)) && refusal.after == wait)
        #expect(replica.commit("k", state("z", 4), stored: .found(old)).after == wait)

        replica.synced(ticket)
        #expect(replica.pendingCount == 0)
        let after = replica.read("k", stored: .found(new))
        #expect(after.answer == .state(new) && after.after == .nothing)
    }

    @Test("of two unsynced states the newer one is shown, and waited for")
    mutating func twoPending() throws {
        let first = try #require(replica.commit("k", state("x", 3), stored: .absent).append).ticket
        let second = try #require(replica.commit("k", state("y", 5), stored: .absent).append).ticket
        #expect(first < second)
        replica.synced(first)
        let read = replica.read("k", stored: .found(state("x", 3)))
        #expect(read.answer == .state(state("y", 5)) && read.after == Durability(append: second))
    }

    @Test("a sync that is reported twice or is unknown changes nothing")
    mutating func unknownTicket() throws {
        let ticket = try #require(replica.commit("k", state("x", 3), stored: .absent).append).ticket
        replica.synced(ticket)
        replica.synced(ticket)
        #expect(replica.pendingCount == 0)
    }

    // MARK: - Learn

    @Test("a decided state is installed whatever was promised, and the promise stays")
    mutating func learn() throws {
        _ = replica.stage("k", ballot: ballot(9), stored: .absent)
        let decided = state("x", 5)
        let decision = replica.learn("k", decided, stored: .absent)
        #expect(decision.answer == .learned)
        #expect(decision.after == Durability(append: try #require(decision.append).ticket))
        #expect(replica.commit("k", state("y", 7), stored: .absent).answer == .refused(promise: ballot(9)))
    }

    @Test("a state that is not newer is known already")
    mutating func known() throws {
        let held = state("x", 5)
        #expect(replica.learn("k", held, stored: .found(held)).answer == .known)
        #expect(replica.learn("k", state("y", 4), stored: .found(held)).append == nil)
        #expect(replica.learn("k", state("y", 6), stored: .found(held), hasBlobs: false).answer == .blobMissing)
    }
}
