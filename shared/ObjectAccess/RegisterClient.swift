import ClusterState
import Logging
import MessageBus
import Model
import NIOCore
import Observability
import Register
import Wire

/// Reads and changes registers: the writer's side of the protocol for a whole process.
///
/// Make one per process: its clock, its queues and its hints are shared by all operations.
public final class RegisterClient: Sendable {
    let environment: AccessEnvironment
    let clock = SharedWriterClock()
    private let queues: KeyQueues
    private let writer: UInt64

    /// How often a read starts anew after the ring has changed under it.
    private static let ringChangesMax = 8

    public init(
        bus: any RequestSending, cluster: any ClusterViewing, writer: UInt64, logger: Logger,
        metrics: MetricsRegistry, options: AccessOptions = .init(), timers: any TimerScheduling = CoarseTimers.shared
    ) {
        let accessMetrics = AccessMetrics(metrics)
        environment = AccessEnvironment(
            bus: bus, cluster: cluster, options: options, timers: timers,
            health: PeerHealth(trialInterval: options.avoidFor, absent: { cluster.view.absentNodes }),
            hints: HintNoter(bus: bus, options: options, metrics: accessMetrics), metrics: accessMetrics,
            flow: ContentFlow(
                limit: options.contentInFlightMax, patience: options.contentPatience, timers,
                waits: accessMetrics.contentWaits),
            readHedging: Hedging(options.hedging, kind: .read, metrics),
            chunkHedging: Hedging(options.chunkHedging, kind: .chunkGet, metrics),
            shortCircuit: options.shortCircuitReads
                ? ShortCircuitReads(timers, patience: options.slowAfter * 3, metrics) : nil, logger: logger)
        queues = KeyQueues(waitersMax: options.waitersPerKeyMax)
        self.writer = writer
    }

    // MARK: - Reading

    /// The decided state of a register. `withBlob` also gets the content that is stored beside it.
    public func read(
        _ name: Model.RegisterName, withBlob: Bool = false, context: MessageContext = .init()
    ) async throws(AccessError) -> RegisterSnapshot {
        let start = ContinuousClock.now
        defer { environment.metrics.took(.read, since: start) }
        do throws(AccessError) {
            if let snapshot = try await readOnce(name, withBlob, context) { return snapshot }
            return try await finishAndRead(name, withBlob, context, until: start + environment.options.operationTimeout)
        } catch {
            if error.isQuorumFailure { environment.metrics.failed(.read) }
            throw error
        }
    }

    /// The blob beside a register, from whichever of its replicas has it. ``AccessError/absent`` when the register has
    /// another one by now.
    public func fetchBlob(
        name: Model.RegisterName, blob: BlobID, context: MessageContext = .init()
    ) async throws(AccessError) -> ByteBuffer {
        let placement = try Placement(environment.cluster.view, name)
        return try await BlobFetch(environment: environment, name: name, blob: blob, context: context)
            .run(from: placement.rule().members)
    }

    /// nil: the replicas differ, a round must finish what is half done.
    private func readOnce(
        _ name: Model.RegisterName, _ withBlob: Bool, _ context: MessageContext
    ) async throws(AccessError) -> RegisterSnapshot? {
        var ringChanges = 0
        while true {
            let placement = try Placement(environment.cluster.view, name)
            let operation = ReadOperation(
                environment, name, rule: placement.rule { self.environment.health.ordered($0) }, withBlob: withBlob,
                clock: clock, context: context.at(placement.epoch))
            switch await operation.run() {
            case .answer(let state, let holders, let blob):
                guard withBlob, let wanted = state?.blob else { return RegisterSnapshot(state: state) }
                if let blob, blob.id == wanted, let bytes = await bytes(of: blob) {
                    return RegisterSnapshot(state: state, blob: bytes)
                }
                return try await fetch(wanted, of: state, name, holders, context)
            case .finish: return nil
            case .failed(let failures):
                guard failures.has(.staleEpoch), ringChanges < Self.ringChangesMax else { throw failures.error }
                ringChanges += 1
                await renewRing(after: placement.epoch)
            }
        }
    }

    /// nil: it cannot be read where it stands, and must be sent.
    private func bytes(of blob: ReadOperation.FetchedBlob) async -> ByteBuffer? {
        switch blob.content {
        case .bytes(let bytes): return bytes
        case .place(let place):
            guard let reads = environment.shortCircuit else { return nil }
            if let bytes = reads.atHand(place) { return bytes }
            return await withUnsafeContinuation { continuation in
                reads.read(place) { continuation.resume(returning: $0) }
            }
        }
    }

    /// nil: replaced in between, read again.
    private func fetch(
        _ blob: BlobID, of state: RegisterState<StoredRecord>?, _ name: Model.RegisterName, _ holders: [NodeName],
        _ context: MessageContext
    ) async throws(AccessError) -> RegisterSnapshot? {
        // Those who hold the record may have lost its content, and the others may still have it.
        let others = environment.cluster.replicas(of: name).filter { !holders.contains($0) }
        do throws(AccessError) {
            let bytes = try await BlobFetch(environment: environment, name: name, blob: blob, context: context)
                .run(from: holders + others)
            return RegisterSnapshot(state: state, blob: bytes)
        } catch .absent {
            return nil
        }
    }

    private func finishAndRead(
        _ name: Model.RegisterName, _ withBlob: Bool, _ context: MessageContext,
        until deadline: ContinuousClock.Instant
    ) async throws(AccessError) -> RegisterSnapshot {
        environment.metrics.finishedReads.increment()
        let waited = try await queues.enter(name)
        defer { queues.leave(name) }
        // Who came before has most likely finished it.
        if waited, let snapshot = try await readOnce(name, withBlob, context) { return snapshot }
        var missing: BlobID?
        while true {
            let (success, _) = try await propose(
                name, { $0.rule() }, staged: nil, .random(), context, until: deadline
            ) { _ in .keep }
            guard withBlob, let wanted = success.state?.blob else { return RegisterSnapshot(state: success.state) }
            if let snapshot = try await fetch(wanted, of: success.state, name, success.holders, context) {
                return snapshot
            }
            // Replaced in between, or nobody has it.
            if missing == wanted { throw .damaged("no replica has the content \(wanted)") }
            missing = wanted
            if let snapshot = try await readOnce(name, withBlob, context) { return snapshot }
        }
    }

    /// A decided state that no replica is ahead of: a round in which all of them take part.
    func agree(on name: Model.RegisterName) async throws(AccessError) -> RegisterState<StoredRecord>? {
        let deadline = operationDeadline
        _ = try await queues.enter(name)
        defer { queues.leave(name) }
        return try await propose(
            name, \.ruleOfAll, staged: nil, .random(), .init(), until: deadline
        ) { _ in .keep }.0.state
    }

    /// Decides a register again, under a ballot above a counter: such a state heals a replica that has lost what it had
    /// promised and accepted up to that counter. Needs promises only of so many replicas that no decided state can
    /// be missed, none of them one that has lost its memory. A register that none of them has becomes a tombstone:
    /// what only the other one may have was never decided.
    public func confirm(
        _ name: Model.RegisterName, above counter: UInt64
    ) async throws(AccessError) -> ConfirmedRegister {
        clock.observe(counter)
        let deadline = operationDeadline
        _ = try await queues.enter(name)
        defer { queues.leave(name) }
        let success = try await propose(
            name, \.ruleOfHealing, staged: nil, .random(), .init(), until: deadline
        ) { current in current == nil ? .write(.tombstone) : .confirm }.0
        guard let state = success.state else { throw .damaged("a round ended without a state") }
        return ConfirmedRegister(state: state, holders: success.holders)
    }

    // MARK: - Changing

    /// Runs rounds until the change is decided. `change` is pure, must not block, and may be called several times, each
    /// time with a newer state. A refusal is thrown only when the state that it was made from is known to be decided.
    /// - Parameters:
    ///   - deleting: the delete quorum applies instead of the write quorum.
    ///   - staged: the content that the written record refers to, when it is stored beside the register.
    ///   - operation: the same one for a repetition of the same client request.
    public func update(
        _ name: Model.RegisterName, deleting: Bool = false, staged: StagedBlob? = nil,
        operation: OperationID = .random(), context: MessageContext = .init(),
        change: @escaping @Sendable (RegisterState<StoredRecord>?) -> Change
    ) async throws(AccessError) -> UpdateResult {
        let start = ContinuousClock.now
        let kind: AccessMetrics.Operation = deleting ? .delete : .write
        defer { environment.metrics.took(kind, since: start) }
        _ = try await queues.enter(name)
        defer { queues.leave(name) }
        let turn = ContinuousClock.now
        return try await environment.flow.whileSending(staged?.bytes.readableBytes ?? 0) {
            () async throws(AccessError) in
            // The wait for room is not the operation's.
            let deadline = start + environment.options.operationTimeout + (.now - turn)
            do throws(AccessError) {
                let (success, refusal) = try await propose(
                    name, { $0.rule(deleting: deleting) }, staged: staged, needsRoom: !deleting, operation, context,
                    until: deadline, change)
                if success.kind == .refused, let refusal { throw .refused(refusal) }
                return UpdateResult(
                    state: success.state, previous: success.previous,
                    written: success.kind == .written || success.kind == .recovered)
            } catch {
                if error.isQuorumFailure { environment.metrics.failed(kind) }
                throw error
            }
        }
    }

    private func propose(
        _ name: Model.RegisterName, _ rule: (Placement) -> QuorumRule, staged: StagedBlob?, needsRoom: Bool = false,
        _ id: OperationID, _ context: MessageContext, until deadline: ContinuousClock.Instant,
        _ change: @escaping UpdateOperation.Decision
    ) async throws(AccessError) -> (ProposerSuccess<StoredRecord>, refusal: (any Error)?) {
        // It may have waited for its turn for so long that nobody wants the answer.
        guard .now < deadline else { throw .deadlineExceeded }
        let placement = try Placement(environment.cluster.view, name)
        let operation = UpdateOperation(
            environment, name, machine: Proposer(operation: id, writer: writer, rule: rule(placement)),
            staged: staged, needsRoom: needsRoom, clock: clock, context: context.at(placement.epoch), until: deadline,
            change: change)
        var epoch = placement.epoch
        while true {
            switch await outcome(of: operation, deadline) {
            case .succeeded(let success, let refusal): return (success, refusal)
            case .failed(let failure, let failures): throw AccessError(failure, failures)
            case .backOff: throw .overloaded
            case .renew:
                await renewRing(after: epoch)
                guard .now < deadline else { throw AccessError(operation.giveUp(), FailureTally()) }
                let placement = try Placement(environment.cluster.view, name)
                operation.renew(rule(placement), epoch: placement.epoch)
                epoch = placement.epoch
            }
        }
    }

    private var operationDeadline: ContinuousClock.Instant { .now + environment.options.operationTimeout }

    /// All attempts of an operation.
    private func outcome(
        of operation: UpdateOperation, _ deadline: ContinuousClock.Instant
    ) async -> UpdateOperation.Outcome {
        var random = SystemRandomNumberGenerator()
        while true {
            let outcome = await operation.attempt()
            guard case .backOff(let attempt) = outcome else { return outcome }
            let delay = Duration.milliseconds(BackOff.milliseconds(afterAttempt: attempt, using: &random))
            guard .now + delay < deadline, !Task.isCancelled else {
                return .failed(operation.giveUp(), FailureTally())
            }
            if delay > .zero { await environment.timers.sleep(delay) }
        }
    }

    /// Fetches the ring that replicas work by. When there is none to be had they are asked again a little later.
    private func renewRing(after epoch: UInt64) async {
        do {
            try await environment.cluster.refresh()
        } catch {
            environment.logger.warning("no newer ring", metadata: ["error": "\(error)"])
        }
        if environment.cluster.view.epoch <= epoch { await environment.timers.sleep(.milliseconds(50)) }
    }
}

extension AccessError {
    init(_ failure: ProposerFailure, _ failures: FailureTally) {
        self =
            switch failure {
            case .noQuorum: failures.error
            case .contended: .overloaded
            case .deadlineExceeded: .deadlineExceeded
            case .outcomeUnknown: .outcomeUnknown
            }
    }

    /// The replicas are at fault, not the request.
    var isQuorumFailure: Bool {
        switch self {
        case .refused, .absent, .notReady: false
        default: true
        }
    }
}

extension MessageContext {
    func at(_ epoch: UInt64) -> MessageContext {
        var context = self
        context.epoch = epoch
        return context
    }
}

extension TimerScheduling {
    func sleep(_ delay: Duration) async {
        await withUnsafeContinuation { continuation in after(delay) { continuation.resume() } }
    }
}
