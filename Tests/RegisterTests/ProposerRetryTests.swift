import Model
import Testing

@testable import Register

/// What happens in second attempts, with conditions, with stragglers and with missing blobs.
@Suite struct ProposerRetryTests {
    typealias Directive = ProposerDirective<Word>
    private var proposer = Proposer<Word>(
        operation: operation(1), writer: 1, rule: QuorumRule(sets: [[a, b, c]], level: .majority(of: 3)))
    private let written = State(tag: ballot(1), sequence: 1, recentOperations: [operation(1)], record: "x")

    private mutating func promise(_ counter: UInt64, _ first: State?, _ second: State?) -> [Directive] {
        _ = proposer.begin(counter: counter)
        _ = proposer.onPromise(from: a, ballot: ballot(counter), state: first)
        return proposer.onPromise(from: b, ballot: ballot(counter), state: second)
    }

    /// A first attempt whose commit may have reached anybody.
    private mutating func halfSucceed() {
        _ = promise(1, nil, nil)
        _ = proposer.decided(.write("x"))
        _ = proposer.onTimeout(ballot: ballot(1))
    }

    // MARK: - An attempt that may have half succeeded

    @Test("a retry that finds its operation at one replica completes it")
    mutating func recognised() {
        halfSucceed()
        let again = written.retagged(ballot(2))
        #expect(promise(2, written, nil) == [.commit(again, to: [a, b, c])])
        _ = proposer.onAccepted(from: a, ballot: ballot(2))
        let success = ProposerSuccess<Word>(kind: .recovered, state: again, previous: nil, holders: [a, b])
        #expect(proposer.onAccepted(from: b, ballot: ballot(2)) == [.succeed(success)])
    }

    @Test("a retry that finds its operation decided is done, even under later ones")
    mutating func recognisedBelow() {
        halfSucceed()
        let later = state("y", 1, writer: 7, sequence: 3, operations: [1, 50, 51])
        let success = ProposerSuccess<Word>(kind: .recovered, state: later, previous: nil, holders: [a, b])
        #expect(promise(2, later, later) == [.succeed(success)])
        #expect(proposer.isFinished)
    }

    @Test("a retry that does not find its operation within the window writes again")
    mutating func notFound() {
        halfSucceed()
        let other = state("y", 1, writer: 7, sequence: 8, operations: [50, 51, 52, 53, 54, 55, 56, 57])
        #expect(promise(2, other, other) == [.decide(current: other)])
    }

    /// The promises of both come without a state, and with where the chain begins.
    private mutating func promiseAbsent(_ counter: UInt64, base: UInt64) -> [Directive] {
        _ = proposer.begin(counter: counter)
        _ = proposer.onPromise(from: a, ballot: ballot(counter), state: nil)
        return proposer.onPromise(from: b, ballot: ballot(counter), state: nil, base: base)
    }

    @Test("a chain begins behind what was purged, and a retry over a purge cannot know what became of it")
    mutating func purged() {
        _ = promiseAbsent(1, base: 58)
        let first = State(tag: ballot(1), sequence: 59, recentOperations: [operation(1)], record: "x")
        #expect(proposer.decided(.write("x")) == [.commit(first, to: [a, b, c])])
        _ = proposer.onTimeout(ballot: ballot(1))
        #expect(promiseAbsent(2, base: 67) == [.fail(.outcomeUnknown)])
    }

    @Test("a retry for which nothing was purged meanwhile writes again")
    mutating func notPurged() {
        _ = promiseAbsent(1, base: 58)
        _ = proposer.decided(.write("x"))
        _ = proposer.onTimeout(ballot: ballot(1))
        #expect(promiseAbsent(2, base: 58) == [.decide(current: nil)])
    }

    @Test("of several attempts the one that was built on the lowest sequence counts")
    mutating func lowest() {
        _ = promiseAbsent(1, base: 100)
        _ = proposer.decided(.write("x"))
        _ = proposer.onTimeout(ballot: ballot(1))
        let other = state("y", 1, writer: 7, sequence: 60, operations: [50])
        _ = promise(2, other, other)
        _ = proposer.decided(.write("x"))
        _ = proposer.onTimeout(ballot: ballot(2))
        let later = state("y", 2, writer: 7, sequence: 75, operations: [51])
        #expect(promise(3, later, later) == [.fail(.outcomeUnknown)])
    }

    @Test("a retry that is refused first decides the state again: its former commit may be at a third replica")
    mutating func refusedAfterCommit() {
        halfSucceed()
        let other = state("y", 1, writer: 7, sequence: 1, operations: [50])
        _ = promise(2, other, other)
        let again = other.retagged(ballot(2))
        #expect(proposer.decided(.refuse) == [.commit(again, to: [a, b, c])])
        _ = proposer.onAccepted(from: a, ballot: ballot(2))
        let success = ProposerSuccess<Word>(kind: .refused, state: again, previous: other, holders: [a, b])
        #expect(proposer.onAccepted(from: b, ballot: ballot(2)) == [.succeed(success)])
    }

    @Test("a retry that is refused by nothing cannot know: nothing is there to be decided again")
    mutating func refusedByNothing() {
        halfSucceed()
        _ = promise(2, nil, nil)
        #expect(proposer.decided(.refuse) == [.fail(.outcomeUnknown)])
    }

    @Test("a retry past the window cannot know")
    mutating func windowPassed() {
        halfSucceed()
        let other = state("y", 1, writer: 7, sequence: 9, operations: [50, 51, 52, 53, 54, 55, 56, 57])
        #expect(promise(2, other, other) == [.fail(.outcomeUnknown)])
    }

    @Test("a sequence at the end of the numbers is only a sequence")
    mutating func hugeSequence() {
        let huge = state("y", 1, sequence: .max)
        _ = promise(2, huge, huge)
        _ = proposer.decided(.write("x"))
        _ = proposer.onTimeout(ballot: ballot(2))
        #expect(promise(3, huge, huge) == [.decide(current: huge)])
    }

    @Test("a window that passes before any commit has left does no harm")
    mutating func windowIrrelevant() {
        _ = proposer.begin(counter: 1)
        _ = proposer.onTimeout(ballot: ballot(1))
        let other = state("y", 1, writer: 7, sequence: 100)
        #expect(promise(2, other, other) == [.decide(current: other)])
    }

    @Test("a condition that does not hold because of the operation itself is not refused")
    mutating func ownEffect() {
        halfSucceed()
        guard case .succeed(let success)? = promise(2, written, written).first else {
            Issue.record("the operation has taken effect")
            return
        }
        #expect(success.kind == .recovered)
    }

    // MARK: - Conditions

    @Test("a refusal is answered at once when the promises show that the state is decided")
    mutating func refusedDecided() {
        let held = state("y", 3)
        #expect(promise(4, held, held) == [.decide(current: held)])
        let success = ProposerSuccess<Word>(kind: .refused, state: held, previous: held, holders: [a, b])
        #expect(proposer.decided(.refuse) == [.succeed(success)])
        #expect(proposer.isFinished)
    }

    @Test("a refusal from a state that may not be decided finishes its round first")
    mutating func refusedUndecided() {
        let held = state("y", 3)
        _ = promise(4, held, nil)
        let again = held.retagged(ballot(4))
        #expect(proposer.decided(.refuse) == [.commit(again, to: [a, b, c])])
        _ = proposer.onAccepted(from: b, ballot: ballot(4))
        let success = ProposerSuccess<Word>(kind: .refused, state: again, previous: held, holders: [b, c])
        #expect(proposer.onAccepted(from: c, ballot: ballot(4)) == [.succeed(success)])
    }

    @Test("a failed finishing round leaves nothing behind: the outcome is known")
    mutating func finishingFails() {
        _ = promise(4, state("y", 3), nil)
        _ = proposer.decided(.refuse)
        _ = proposer.onLost(a, ballot: ballot(4), request: .commit)
        #expect(proposer.onLost(b, ballot: ballot(4), request: .commit) == [.fail(.noQuorum(missing: [a, b]))])
    }

    @Test("a register that was never written needs no finishing")
    mutating func absent() {
        _ = promise(4, nil, nil)
        let success = ProposerSuccess<Word>(kind: .kept, state: nil, previous: nil, holders: [])
        #expect(proposer.decided(.keep) == [.succeed(success)])
    }

    @Test("a confirmation commits even what is decided")
    mutating func confirm() {
        let held = state("y", 3)
        _ = promise(4, held, held)
        #expect(proposer.decided(.confirm) == [.commit(held.retagged(ballot(4)), to: [a, b, c])])
    }

    // MARK: - Stragglers

    private mutating func succeed() {
        _ = promise(1, nil, nil)
        _ = proposer.decided(.write("x"))
        _ = proposer.onAccepted(from: a, ballot: ballot(1))
        _ = proposer.onAccepted(from: c, ballot: ballot(1))
    }

    @Test("who has not acknowledged in time gets a hint with those who have")
    mutating func straggler() {
        succeed()
        #expect(proposer.onTimeout(ballot: ballot(1)) == [.hint(written, missed: [b], acknowledged: [a, c])])
        #expect(proposer.isFinished)
    }

    @Test("a failure that is known ends the wait", arguments: [true, false])
    mutating func knownFailure(refused: Bool) {
        succeed()
        let directives =
            refused
            ? proposer.onCommitRefused(from: b, ballot: ballot(1), promise: ballot(5))
            : proposer.onLost(b, ballot: ballot(1), request: .commit)
        #expect(directives == [.hint(written, missed: [b], acknowledged: [a, c])])
    }

    @Test("a loss known before the success is hinted together with it")
    mutating func earlyLoss() {
        _ = promise(1, nil, nil)
        _ = proposer.decided(.write("x"))
        _ = proposer.onLost(b, ballot: ballot(1), request: .commit)
        _ = proposer.onAccepted(from: a, ballot: ballot(1))
        let directives = proposer.onAccepted(from: c, ballot: ballot(1))
        #expect(directives.count == 2)
        #expect(directives.last == .hint(written, missed: [b], acknowledged: [a, c]))
    }

    @Test("the deadline of the client does not lose the hint")
    mutating func deadline() {
        succeed()
        #expect(proposer.onDeadline() == [.hint(written, missed: [b], acknowledged: [a, c])])
    }

    // MARK: - Blobs

    @Test("a replica without the blob is sent it once")
    mutating func blobMissing() {
        _ = promise(1, nil, nil)
        _ = proposer.decided(.write("x"))
        _ = proposer.onAccepted(from: a, ballot: ballot(1))
        #expect(
            proposer.onBlobMissing(from: b, ballot: ballot(1)) == [.commitWithBlobs(written, to: b, holders: [a])])
        #expect(proposer.onBlobMissing(from: b, ballot: ballot(1)) == [])
        #expect(proposer.onBlobMissing(from: c, ballot: ballot(2)) == [])
        #expect(proposer.onLost(c, ballot: ballot(1), request: .commit).count == 1)
    }

    @Test("who finishes the write of another learns where its blobs are")
    mutating func holders() {
        let held = state("y", 3)
        _ = promise(4, nil, held)
        _ = proposer.decided(.keep)
        let directives = proposer.onBlobMissing(from: c, ballot: ballot(4))
        #expect(directives == [.commitWithBlobs(held.retagged(ballot(4)), to: c, holders: [b])])
    }

    @Test("stragglers are sent blobs too")
    mutating func straggler2() {
        succeed()
        #expect(
            proposer.onBlobMissing(from: b, ballot: ballot(1)) == [.commitWithBlobs(written, to: b, holders: [a, c])])
        #expect(proposer.onAccepted(from: b, ballot: ballot(1)) == [])
        #expect(proposer.isFinished)
    }

    @Test("the second attempt is announced as such, so that the payload is not sent again")
    mutating func attempts() {
        _ = proposer.begin(counter: 1)
        _ = proposer.onTimeout(ballot: ballot(1))
        #expect(proposer.begin(counter: 2) == [.stage(ballot: ballot(2), to: [a, b, c], attempt: 2)])
    }
}
