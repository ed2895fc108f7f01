import Model
import Testing

@testable import Register

/// What one replica that decides alone is told at once: stage, and commit if nothing is here.
@Suite struct ProposalTests {
    private var proposer = Proposer<Word>(
        operation: operation(1), writer: 1, rule: QuorumRule(sets: [[a]], level: .majority(of: 1)), attemptsMax: 3)
    private let proposal = State(tag: ballot(1), sequence: 1, recentOperations: [operation(1)], record: "x")

    // MARK: - The writer

    @Test("where one replica decides, what the change makes of nothing goes along, and one answer is enough")
    mutating func accepted() {
        #expect(proposer.begin(counter: 1, opening: "x") == [.propose(proposal, to: a)])
        let success = ProposerSuccess<Word>(kind: .written, state: proposal, previous: nil, holders: [a])
        #expect(proposer.onProposalAccepted(from: a, ballot: ballot(1)) == [.succeed(success)])
        #expect(proposer.isFinished)
    }

    @Test("the chain begins where promises have said")
    mutating func base() {
        let proposal = State(tag: ballot(1), sequence: 14, recentOperations: [operation(1)], record: "x")
        #expect(proposer.begin(counter: 1, opening: "x", base: 13) == [.propose(proposal, to: a)])
    }

    @Test("with several replicas, or in later attempts, nothing is proposed")
    mutating func staged() {
        var three = Proposer<Word>(
            operation: operation(1), writer: 1, rule: QuorumRule(sets: [[a, b, c]], level: .majority(of: 3)))
        #expect(three.begin(counter: 1, opening: "x") == [.stage(ballot: ballot(1), to: [a, b, c], attempt: 1)])
        var moving = Proposer<Word>(
            operation: operation(1), writer: 1, rule: QuorumRule(sets: [[a], [b]], level: .majority(of: 1)))
        #expect(moving.begin(counter: 1, opening: "x") == [.stage(ballot: ballot(1), to: [a, b], attempt: 1)])
        _ = proposer.begin(counter: 1, opening: "x")
        _ = proposer.onStageRefused(from: a, ballot: ballot(1), promise: ballot(7))
        #expect(proposer.begin(counter: 2, opening: "x") == [.stage(ballot: ballot(8), to: [a], attempt: 2)])
    }

    @Test("a promise instead goes on as ever, and nothing counts as sent")
    mutating func promised() {
        _ = proposer.begin(counter: 1, opening: "x")
        let held = state("old", 0, sequence: 30)
        #expect(proposer.onPromise(from: a, ballot: ballot(1), state: held) == [.decide(current: held)])
        let new = State.successor(of: held, writing: "y", operation: operation(1), ballot: ballot(1))
        #expect(proposer.decided(.write("y")) == [.commit(new, to: [a])])
    }

    @Test("a condition that does not hold is answered from the promise without a commit")
    mutating func refused() {
        _ = proposer.begin(counter: 1, opening: "x")
        let held = state("old", 0, sequence: 30)
        _ = proposer.onPromise(from: a, ballot: ballot(1), state: held)
        let success = ProposerSuccess<Word>(kind: .refused, state: held, previous: held, holders: [a])
        #expect(proposer.decided(.refuse) == [.succeed(success)])
    }

    @Test("a replica that says it has done nothing leaves nothing unknown")
    mutating func untouched() {
        _ = proposer.begin(counter: 1, opening: "x")
        #expect(
            proposer.onLost(a, ballot: ballot(1), request: .stage, untouched: true) == [.fail(.noQuorum(missing: [a]))])
    }

    @Test("one that is lost may have accepted")
    mutating func lost() {
        _ = proposer.begin(counter: 1, opening: "x")
        #expect(proposer.onLost(a, ballot: ballot(1), request: .stage) == [.fail(.outcomeUnknown)])
    }

    @Test("after a silence the next attempt finds what was accepted")
    mutating func recovered() {
        _ = proposer.begin(counter: 1, opening: "x")
        #expect(proposer.onTimeout(ballot: ballot(1)) == [.backOff(attempt: 1)])
        #expect(proposer.onProposalAccepted(from: a, ballot: ballot(1)) == [])
        _ = proposer.begin(counter: 2)
        let success = ProposerSuccess<Word>(kind: .recovered, state: proposal, previous: nil, holders: [a])
        #expect(proposer.onPromise(from: a, ballot: ballot(2), state: proposal) == [.succeed(success)])
    }

    @Test("a newer ring leaves nothing unknown")
    mutating func outdated() {
        _ = proposer.begin(counter: 1, opening: "x")
        #expect(proposer.onOutdated(a, ballot: ballot(1), request: .stage) == [.renew(attempt: 1)])
        #expect(proposer.onDeadline() == [.fail(.deadlineExceeded)])
    }

    // MARK: - The replica

    private var replica: RegisterReplica<String, Word> = {
        var replica = RegisterReplica<String, Word>(ceiling: 0)
        replica.ceilingRaised(to: 1 << 30)
        return replica
    }()

    @Test("a replica that holds nothing accepts, and answers after the sync")
    mutating func accepts() throws {
        let decision = replica.stage("k", proposing: proposal, stored: .absent)
        #expect(decision.answer == .accepted)
        let append = try #require(decision.append)
        #expect(append.state == proposal && decision.after.append == append.ticket)
        #expect(replica.read("k", stored: .absent).answer == .state(proposal))
        #expect(replica.promiseCount == 0)
    }

    @Test("the first ballots on a new disk wait for the ceiling too")
    func ceiling() {
        var replica = RegisterReplica<String, Word>(ceiling: 0, ceilingStep: 16)
        let decision = replica.stage("k", proposing: proposal, stored: .absent)
        #expect(decision.answer == .accepted && decision.raiseCeiling == 17 && decision.after.ceiling == 1)
    }

    @Test("one that holds something promises only, whatever it is", arguments: [Word("old"), .tombstone])
    mutating func holds(word: Word) {
        let held = state(word, 0, sequence: 3)
        let decision = replica.stage("k", proposing: proposal, stored: .found(held))
        #expect(decision.answer == .promised(state: held) && decision.append == nil)
        #expect(replica.stage("k", ballot: ballot(1, 0), stored: .found(held)).answer != .promised(state: held))
    }

    @Test("a chain that was purged goes on above it, or is promised only")
    mutating func floor() {
        replica.raiseFloor(to: PurgeFloor(ballot: .zero, sequence: 40))
        let base = replica.stage("j", ballot: ballot(1), stored: .absent).base
        #expect(base > 0)
        let low = replica.stage("k", proposing: proposal, stored: .absent)
        #expect(low.answer == .promised(state: nil) && low.base == base)
        let high = State(tag: ballot(2), sequence: base + 1, recentOperations: [operation(1)], record: "x")
        #expect(replica.stage("k", proposing: high, stored: .absent).answer == .accepted)
    }

    @Test("a higher promise, a missing vote and missing content are in its way")
    mutating func hindered() {
        #expect(
            replica.stage("k", proposing: proposal, stored: .absent, hasBlobs: false).answer == .promised(state: nil))
        _ = replica.stage("k", ballot: ballot(5), stored: .absent)
        #expect(
            replica.stage("k", proposing: proposal, stored: .absent).answer == .refused(state: nil, promise: ballot(5)))
        #expect(replica.stage("j", proposing: proposal, stored: .doubtful).answer == .abstained)
    }
}
