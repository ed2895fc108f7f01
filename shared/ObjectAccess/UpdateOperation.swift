import MessageBus
import Model
import NIOCore
import Register
import Synchronization
import Wire

/// The shell of one `Proposer`: lock, ask the machine, release, act.
///
/// No timer is set for an attempt: the bus reports every request exactly once, at the latest when its time is over, and
/// that report is the machine's timeout. What runs on after success (stragglers, hints) holds the operation alive.
final class UpdateOperation: Sendable {
    enum Outcome: Sendable {
        case succeeded(ProposerSuccess<StoredRecord>, refusal: (any Error)?)
        case failed(ProposerFailure, FailureTally)
        /// Wait, then call `attempt` again.
        case backOff(attempt: Int)
        /// The ring has changed: call `renew`, then `attempt` again.
        case renew
    }

    private static let requestTimeoutMin = Duration.milliseconds(50)
    /// What a request is refused with before anything came of it.
    private static let changesNothing: Set<Status> = [.diskFull, .abstained, .overloaded]

    typealias Directive = ProposerDirective<StoredRecord>
    typealias Decision = @Sendable (RegisterState<StoredRecord>?) -> Change

    private struct State {
        var machine: Proposer<StoredRecord>
        var continuation: UnsafeContinuation<Outcome, Never>?
        var refusal: (any Error)?
        /// Of the present attempt.
        var failures = FailureTally()
        /// Where the present attempt's requests come from: it has the epoch of the ring that they go by.
        var context: MessageContext
    }

    private let environment: AccessEnvironment
    private let name: Model.RegisterName
    private let clock: SharedWriterClock
    private let staged: StagedBlob?
    private let needsRoom: Bool
    private let deadline: ContinuousClock.Instant
    private let change: Decision
    private let state: Mutex<State>

    /// - Parameters:
    ///   - needsRoom: the change is to store something: full disks are to refuse the round at its beginning.
    ///   - deadline: no request waits for its answer longer than that.
    init(
        _ environment: AccessEnvironment, _ name: Model.RegisterName, machine: Proposer<StoredRecord>,
        staged: StagedBlob?, needsRoom: Bool, clock: SharedWriterClock, context: MessageContext,
        until deadline: ContinuousClock.Instant, change: @escaping Decision
    ) {
        self.environment = environment
        self.name = name
        self.clock = clock
        self.staged = staged
        self.needsRoom = needsRoom
        self.deadline = deadline
        self.change = change
        state = Mutex(State(machine: machine, context: context))
    }

    /// Runs the next attempt to its end.
    func attempt() async -> Outcome {
        let (counter, base) = (clock.next(), clock.base)
        environment.metrics.rounds.increment()
        return await withUnsafeContinuation { continuation in
            feed { state in
                state.continuation = continuation
                state.failures = FailureTally()
                return state.machine.begin(counter: counter, opening: opening(state.machine), base: base)
            }
        }
    }

    /// What the change makes of a key that holds nothing, where that can save a round trip.
    private func opening(_ machine: Proposer<StoredRecord>) -> StoredRecord? {
        guard machine.onlyReplica != nil, case .write(let record) = change(nil) else { return nil }
        return record
    }

    /// Goes on with the quorums of a newer ring.
    func renew(_ rule: QuorumRule, epoch: UInt64) {
        state.withLock { state in
            state.machine.renew(rule)
            state.context = state.context.at(epoch)
        }
    }

    /// How the operation ends when there is no time for another attempt.
    func giveUp() -> ProposerFailure {
        let directives = state.withLock { $0.machine.onDeadline() }
        for case .fail(let failure) in directives { return failure }
        return .deadlineExceeded
    }

    // MARK: - Events

    private func staged(by node: NodeName, _ ballot: Ballot, _ result: Result<BusReply, BusError>) {
        let message = result.decoded(as: StageReply.self).flatMap { message in
            Result { (message, try message.state.map { try RegisterState<StoredRecord>($0) }) }
                .mapError { BusError(.malformed, "\($0)") }
        }
        feed { state in
            switch message {
            case .success((let reply, let held)):
                clock.observe(reply.counter, held?.tag.counter ?? 0)
                clock.observe(base: reply.chainBase)
                if reply.accepted {
                    return state.machine.onProposalAccepted(from: node, ballot: ballot, counter: reply.counter)
                }
                return reply.promised
                    ? state.machine.onPromise(
                        from: node, ballot: ballot, state: held, counter: reply.counter, base: reply.chainBase)
                    : state.machine.onStageRefused(
                        from: node, ballot: ballot, promise: Ballot(reply.promise), counter: reply.counter)
            case .failure(let error):
                return lost(node, ballot, .stage, error, &state)
            }
        }
    }

    private func committed(by node: NodeName, _ ballot: Ballot, _ result: Result<BusReply, BusError>) {
        let message = result.decoded(as: CommitReply.self)
        feed { state in
            switch message {
            case .success(let reply):
                clock.observe(reply.counter)
                return Self.tell(&state.machine, reply, node, ballot)
            case .failure(let error):
                return lost(node, ballot, .commit, error, &state)
            }
        }
    }

    private static func tell(
        _ machine: inout Proposer<StoredRecord>, _ reply: CommitReply, _ node: NodeName, _ ballot: Ballot
    ) -> [Directive] {
        switch reply.outcome {
        case .accepted: machine.onAccepted(from: node, ballot: ballot, counter: reply.counter)
        case .blobMissing: machine.onBlobMissing(from: node, ballot: ballot, counter: reply.counter)
        default:
            machine.onCommitRefused(
                from: node, ballot: ballot, promise: Ballot(reply.promise), counter: reply.counter)
        }
    }

    private func lost(
        _ node: NodeName, _ ballot: Ballot, _ request: ProposerRequest, _ error: BusError, _ state: inout State
    ) -> [Directive] {
        state.failures.add(error.status)
        // Silence does not say that the replica is gone: the machine may try again with a higher ballot.
        if error.status == .staleEpoch {
            return state.machine.onOutdated(node, ballot: ballot, request: request)
        }
        if error.status == .deadlineExceeded { return state.machine.onTimeout(ballot: ballot, request: request) }
        return state.machine.onLost(
            node, ballot: ballot, request: request, untouched: Self.changesNothing.contains(error.status))
    }

    // MARK: - Actions

    private func feed(_ event: (inout State) -> [Directive]) {
        let directives = state.withLock { state in
            var directives = event(&state)
            // The machine must have its decision before any other event.
            if case .decide(let current)? = directives.last { directives = decide(current, &state) }
            return directives
        }
        for directive in directives { perform(directive) }
    }

    private func decide(_ current: RegisterState<StoredRecord>?, _ state: inout State) -> [Directive] {
        switch change(current) {
        case .write(let record): return state.machine.decided(.write(record))
        case .keep: return state.machine.decided(.keep)
        case .confirm: return state.machine.decided(.confirm)
        case .refuse(let error):
            state.refusal = error
            return state.machine.decided(.refuse)
        }
    }

    private func perform(_ directive: Directive) {
        switch directive {
        case .stage(let ballot, let nodes, let attempt):
            sendStage(ballot, with: attempt == 1 ? staged : nil, to: nodes)
        case .propose(let state, let node): sendStage(state.tag, proposing: state, with: staged, to: [node])
        case .commit(let state, let nodes): sendCommit(state, to: nodes)
        case .commitWithBlobs(let state, let node, let holders): resend(state, to: node, holders: holders)
        case .succeed(let success): finish { .succeeded(success, refusal: $0.refusal) }
        case .fail(let failure): finish { .failed(failure, $0.failures) }
        case .backOff(let attempt): finish { _ in .backOff(attempt: attempt) }
        case .renew: finish { _ in .renew }
        case .hint(let state, let missed, let acknowledged):
            environment.hints.note(name, tag: state.tag, missed: missed, at: acknowledged)
        case .decide: preconditionFailure("a decision is made under the lock, together with the event that asks for it")
        }
    }

    private func sendStage(
        _ ballot: Ballot, proposing proposal: RegisterState<StoredRecord>? = nil, with blob: StagedBlob?,
        to nodes: [NodeName]
    ) {
        let body = StageRequest(
            name: Wire.RegisterName(name), ballot: BallotNumber(ballot), blob: blob?.id.bytes ?? [],
            blobCrc32c: blob?.checksum ?? 0, needsRoom: needsRoom, proposal: proposal?.stored
        ).encoded()
        let payload = blob.map { [$0.bytes] } ?? []
        for node in nodes {
            send(.stage, body, payload, to: node) { self.staged(by: node, ballot, $0) }
        }
    }

    private func sendCommit(_ state: RegisterState<StoredRecord>, to nodes: [NodeName]) {
        let body = CommitRequest(name: Wire.RegisterName(name), state: state.stored).encoded()
        for node in nodes {
            send(.commit, body, [], to: node) { self.committed(by: node, state.tag, $0) }
        }
    }

    private func resend(_ decided: RegisterState<StoredRecord>, to node: NodeName, holders: [NodeName]) {
        guard let blob = decided.blob else {
            return committed(
                by: node, decided.tag, .failure(BusError(.internalError, "several blobs beside one register")))
        }
        if let staged, staged.id == blob { return sendCommit(decided, with: staged, to: node) }
        let context = state.withLock { $0.context }
        BlobFetch(environment: environment, name: name, blob: blob, context: context).run(from: holders) { result in
            switch result {
            case .success(let bytes): self.sendCommit(decided, with: StagedBlob(id: blob, bytes: bytes), to: node)
            case .failure(let error): self.cannotResend(to: node, decided.tag, error)
            }
        }
    }

    private func cannotResend(to node: NodeName, _ ballot: Ballot, _ error: AccessError) {
        feed { state in
            state.failures.add(.notFound)
            // Who had the content has something newer by now: so this round is behind, which is no loss of the replica.
            if case .absent = error { return state.machine.onTimeout(ballot: ballot, request: .commit) }
            return state.machine.onLost(node, ballot: ballot, request: .commit)
        }
    }

    private func sendCommit(_ state: RegisterState<StoredRecord>, with blob: StagedBlob, to node: NodeName) {
        let body = CommitRequest(
            name: Wire.RegisterName(name), state: state.stored, blob: blob.id.bytes, blobCrc32c: blob.checksum
        ).encoded()
        send(.commit, body, [blob.bytes], to: node) { self.committed(by: node, state.tag, $0) }
    }

    private func send(
        _ type: MessageType, _ body: [UInt8], _ payload: [ByteBuffer], to node: NodeName,
        completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
    ) {
        let timeout = min(environment.options.attemptTimeout, max(deadline - .now, Self.requestTimeoutMin))
        environment.send(
            type, body: body, payload: payload, to: node, timeout: timeout,
            context: state.withLock { $0.context }, completion: completion)
    }

    private func finish(_ outcome: (State) -> Outcome) {
        let (continuation, result) = state.withLock { state in
            defer { state.continuation = nil }
            return (state.continuation, outcome(state))
        }
        continuation?.resume(returning: result)
    }
}
