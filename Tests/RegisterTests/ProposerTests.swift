import Model
import Testing

@testable import Register

/// One writer (number 1) and three replicas.
@Suite struct ProposerTests {
    typealias Directive = ProposerDirective<Word>
    private var proposer = Proposer<Word>(
        operation: operation(1), writer: 1, rule: QuorumRule(sets: [[a, b, c]], level: .majority(of: 3)),
        attemptsMax: 3)

    /// What operation 1 makes of nothing under ballot 1.
    private let written = State(tag: ballot(1), sequence: 1, recentOperations: [operation(1)], record: "x")

    /// Promises of nothing by a and b under ballot `counter`.
    private mutating func promise(_ counter: UInt64, _ state: State? = nil) -> [Directive] {
        _ = proposer.onPromise(from: a, ballot: ballot(counter), state: state)
        return proposer.onPromise(from: b, ballot: ballot(counter), state: state)
    }

    private mutating func writeFirst() -> [Directive] {
        _ = proposer.begin(counter: 1)
        _ = promise(1)
        return proposer.decided(.write("x"))
    }

    private func success(
        _ kind: ProposerSuccess<Word>.Kind, _ state: State?, previous: State? = nil, holders: [NodeName] = [a, b]
    ) -> Directive {
        .succeed(ProposerSuccess(kind: kind, state: state, previous: previous, holders: holders))
    }

    // MARK: - The usual way

    @Test("stage to all, decide at a quorum, commit to all, succeed at a quorum")
    mutating func write() {
        #expect(proposer.begin(counter: 1) == [.stage(ballot: ballot(1), to: [a, b, c], attempt: 1)])
        #expect(proposer.onPromise(from: a, ballot: ballot(1), state: nil) == [])
        #expect(proposer.onPromise(from: c, ballot: ballot(1), state: nil) == [.decide(current: nil)])
        #expect(proposer.decided(.write("x")) == [.commit(written, to: [a, b, c])])
        #expect(proposer.onAccepted(from: c, ballot: ballot(1)) == [])
        #expect(
            proposer.onAccepted(from: b, ballot: ballot(1)) == [success(.written, written, holders: [b, c])])
        #expect(proposer.onAccepted(from: a, ballot: ballot(1)) == [])
        #expect(proposer.isFinished)
    }

    @Test("the change is decided from the highest state of the promises")
    mutating func highest() {
        _ = proposer.begin(counter: 9)
        _ = proposer.onPromise(from: a, ballot: ballot(9), state: state("old", 3))
        let directives = proposer.onPromise(from: b, ballot: ballot(9), state: state("new", 5, sequence: 2))
        #expect(directives == [.decide(current: state("new", 5, sequence: 2))])
        let expected = State(
            tag: ballot(9), sequence: 3, recentOperations: [operation(99), operation(1)], record: "x")
        #expect(proposer.decided(.write("x")) == [.commit(expected, to: [a, b, c])])
    }

    @Test("repeated answers, strangers and other ballots count for nothing")
    mutating func ignored() {
        _ = proposer.begin(counter: 2)
        _ = proposer.onPromise(from: a, ballot: ballot(2), state: nil)
        #expect(proposer.onPromise(from: a, ballot: ballot(2), state: nil) == [])
        #expect(proposer.onPromise(from: d, ballot: ballot(2), state: nil) == [])
        #expect(proposer.onPromise(from: b, ballot: ballot(1), state: nil) == [])
        #expect(proposer.onAccepted(from: b, ballot: ballot(2)) == [])
        #expect(proposer.onTimeout(ballot: ballot(1)) == [])
        _ = proposer.onPromise(from: b, ballot: ballot(2), state: nil)
        _ = proposer.decided(.write("x"))
        _ = proposer.onAccepted(from: a, ballot: ballot(2))
        #expect(proposer.onAccepted(from: a, ballot: ballot(2)) == [])
        #expect(proposer.onAccepted(from: d, ballot: ballot(2)) == [])
    }

    @Test("a delete waits for as many as its level says")
    mutating func delete() throws {
        let level = try #require(ConsistencyLevel(replicas: 3, write: 2, read: 2, delete: 3))
        proposer = Proposer(
            operation: operation(1), writer: 1, rule: QuorumRule(sets: [[a, b, c]], level: level, deleting: true))
        _ = proposer.begin(counter: 1)
        _ = promise(1)
        _ = proposer.decided(.write(.tombstone))
        _ = proposer.onAccepted(from: a, ballot: ballot(1))
        #expect(proposer.onAccepted(from: b, ballot: ballot(1)) == [])
        guard case .succeed? = proposer.onAccepted(from: c, ballot: ballot(1)).first else {
            Issue.record("three acknowledgements are enough")
            return
        }
    }

    @Test("a moving partition is written in both sets")
    mutating func joint() {
        proposer = Proposer(
            operation: operation(1), writer: 1,
            rule: QuorumRule(sets: [[a, b, c], [c, d, e]], level: .majority(of: 3)))
        _ = proposer.begin(counter: 1)
        #expect(promise(1) == [])
        #expect(proposer.onPromise(from: c, ballot: ballot(1), state: nil) == [])
        #expect(proposer.onPromise(from: d, ballot: ballot(1), state: nil) == [.decide(current: nil)])
        _ = proposer.decided(.write("x"))
        for node in [a, b, d] { #expect(proposer.onAccepted(from: node, ballot: ballot(1)) == []) }
        #expect(
            proposer.onAccepted(from: e, ballot: ballot(1)) == [success(.written, written, holders: [a, b, d, e])])
    }

    // MARK: - Refusals and loss

    @Test("when refusals leave no quorum, the next attempt jumps past the largest counter seen")
    mutating func jump() {
        _ = proposer.begin(counter: 1)
        #expect(proposer.onStageRefused(from: a, ballot: ballot(1), promise: ballot(7, 2), counter: 12) == [])
        #expect(proposer.onStageRefused(from: b, ballot: ballot(1), promise: ballot(5)) == [.backOff(attempt: 1)])
        #expect(proposer.begin(counter: 2) == [.stage(ballot: ballot(13), to: [a, b, c], attempt: 2)])
    }

    @Test("an impossible counter is not jumped past")
    mutating func impossibleCounter() {
        _ = proposer.begin(counter: 1)
        _ = proposer.onStageRefused(from: a, ballot: ballot(1), promise: ballot(.max), counter: .max)
        _ = proposer.onTimeout(ballot: ballot(1))
        #expect(proposer.begin(counter: 2) == [.stage(ballot: ballot(2), to: [a, b, c], attempt: 2)])
    }

    @Test("one refusal does not end an attempt that others carry")
    mutating func outvoted() {
        _ = proposer.begin(counter: 1)
        #expect(proposer.onStageRefused(from: c, ballot: ballot(1), promise: ballot(7)) == [])
        #expect(promise(1) == [.decide(current: nil)])
    }

    @Test("a refusal of a repeated message does not undo the promise")
    mutating func repeatedStage() {
        _ = proposer.begin(counter: 1)
        _ = proposer.onStageRefused(from: a, ballot: ballot(1), promise: ballot(1))
        _ = proposer.onStageRefused(from: b, ballot: ballot(2), promise: ballot(1))
        #expect(promise(1) == [.decide(current: nil)])
    }

    @Test("too many replicas out of reach end the operation at once")
    mutating func noQuorum() {
        _ = proposer.begin(counter: 1)
        #expect(proposer.onLost(a, ballot: ballot(1), request: .stage) == [])
        #expect(
            proposer.onLost(c, ballot: ballot(1), request: .stage) == [.fail(.noQuorum(missing: [a, c]))])
        #expect(proposer.isFinished)
    }

    @Test("a lost replica and a refusing one: worth another attempt")
    mutating func lostAndRefused() {
        _ = proposer.begin(counter: 1)
        _ = proposer.onLost(a, ballot: ballot(1), request: .stage)
        #expect(proposer.onStageRefused(from: b, ballot: ballot(1), promise: ballot(3)) == [.backOff(attempt: 1)])
    }

    @Test("a loss of the stage says nothing about the commit")
    mutating func lateLoss() {
        _ = writeFirst()
        #expect(proposer.onLost(b, ballot: ballot(1), request: .stage) == [])
        #expect(proposer.onLost(c, ballot: ballot(1), request: .stage) == [])
        _ = proposer.onAccepted(from: b, ballot: ballot(1))
        #expect(proposer.onAccepted(from: c, ballot: ballot(1)).count == 1)
    }

    @Test("a stage that got no answer in time says nothing about the commit")
    mutating func lateTimeout() {
        _ = writeFirst()
        #expect(proposer.onTimeout(ballot: ballot(1), request: .stage) == [])
        _ = proposer.onAccepted(from: a, ballot: ballot(1))
        var other = proposer
        #expect(other.onTimeout(ballot: ballot(1), request: .commit) == [.backOff(attempt: 1)])
        _ = proposer.onAccepted(from: b, ballot: ballot(1))
        #expect(proposer.onTimeout(ballot: ballot(1), request: .stage) == [])
        #expect(
            proposer.onTimeout(ballot: ballot(1), request: .commit)
                == [.hint(written, missed: [c], acknowledged: [a, b])])
    }

    @Test("attempts are limited; before any commit that means nothing has happened")
    mutating func contended() {
        for attempt in 1...2 as ClosedRange<UInt64> {
            _ = proposer.begin(counter: attempt)
            #expect(proposer.onTimeout(ballot: ballot(attempt)) == [.backOff(attempt: Int(attempt))])
        }
        _ = proposer.begin(counter: 3)
        #expect(proposer.onTimeout(ballot: ballot(3)) == [.fail(.contended)])
    }

    @Test("after a commit no failure says that nothing has happened")
    mutating func unknown() {
        _ = writeFirst()
        _ = proposer.onCommitRefused(from: a, ballot: ballot(1), promise: ballot(2, 2))
        #expect(proposer.onCommitRefused(from: b, ballot: ballot(1), promise: ballot(2, 2)) == [.backOff(attempt: 1)])
        _ = proposer.begin(counter: 3)
        _ = proposer.onLost(a, ballot: ballot(3), request: .stage)
        #expect(proposer.onLost(b, ballot: ballot(3), request: .stage) == [.fail(.outcomeUnknown)])
    }

    @Test("the deadline ends every phase")
    mutating func deadline() {
        var other = proposer
        #expect(other.onDeadline() == [.fail(.deadlineExceeded)])
        #expect(other.onDeadline() == [])
        _ = writeFirst()
        #expect(proposer.onDeadline() == [.fail(.outcomeUnknown)])
        #expect(proposer.onAccepted(from: a, ballot: ballot(1)) == [])
    }

    @Test("a decision that comes after the deadline changes nothing")
    mutating func lateDecision() {
        _ = proposer.begin(counter: 1)
        _ = promise(1)
        #expect(proposer.onDeadline() == [.fail(.deadlineExceeded)])
        #expect(proposer.decided(.write("x")) == [])
    }

    // MARK: - Ring changes

    private let moving = QuorumRule(sets: [[a, b, c], [c, d, e]], level: .majority(of: 3))

    @Test("when replicas work by a newer ring the operation goes on with its quorums")
    mutating func renewed() {
        _ = proposer.begin(counter: 1)
        #expect(proposer.onOutdated(a, ballot: ballot(1), request: .stage) == [])
        #expect(proposer.onOutdated(b, ballot: ballot(1), request: .stage) == [.renew(attempt: 1)])
        proposer.renew(moving)
        #expect(proposer.begin(counter: 2) == [.stage(ballot: ballot(2), to: [a, b, c, d, e], attempt: 2)])
    }

    @Test("one replica that is ahead is like one that is out of reach")
    mutating func oneAhead() {
        _ = proposer.begin(counter: 1)
        #expect(proposer.onOutdated(c, ballot: ballot(1), request: .stage) == [])
        #expect(promise(1) == [.decide(current: nil)])
    }

    @Test("what an attempt sent by the older ring is recognised by the newer one")
    mutating func recovered() {
        _ = writeFirst()
        _ = proposer.onOutdated(a, ballot: ballot(1), request: .commit)
        #expect(proposer.onOutdated(b, ballot: ballot(1), request: .commit) == [.renew(attempt: 1)])
        proposer.renew(moving)
        _ = proposer.begin(counter: 2)
        _ = proposer.onPromise(from: b, ballot: ballot(2), state: nil)
        _ = proposer.onPromise(from: c, ballot: ballot(2), state: written)
        let directives = proposer.onPromise(from: d, ballot: ballot(2), state: nil)
        #expect(directives == [.commit(written.retagged(ballot(2)), to: [a, b, c, d, e])])
    }

    @Test("a replica that is only in the new set does not say on what a write builds")
    mutating func newcomer() {
        proposer = Proposer(operation: operation(1), writer: 1, rule: moving)
        _ = proposer.begin(counter: 9)
        // From a time when it held this register, and never decided.
        _ = proposer.onPromise(from: d, ballot: ballot(9), state: state("stray", 8, sequence: 3))
        _ = proposer.onPromise(from: a, ballot: ballot(9), state: state("old", 3))
        #expect(proposer.onPromise(from: c, ballot: ballot(9), state: nil) == [.decide(current: state("old", 3))])
    }

    @Test("a replica that is only in the new set counts as a holder of what the old set has")
    mutating func newcomerHolds() {
        proposer = Proposer(operation: operation(1), writer: 1, rule: moving)
        _ = proposer.begin(counter: 9)
        let held = state("old", 3)
        _ = proposer.onPromise(from: d, ballot: ballot(9), state: held)
        _ = proposer.onPromise(from: a, ballot: ballot(9), state: held)
        #expect(proposer.onPromise(from: c, ballot: ballot(9), state: held) == [.decide(current: held)])
        #expect(proposer.decided(.keep) == [success(.kept, held, previous: held, holders: [a, c, d])])
    }
}
