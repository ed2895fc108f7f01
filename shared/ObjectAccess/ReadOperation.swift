import MessageBus
import Model
import NIOCore
import Register
import Synchronization
import Wire

/// The shell of one `QuorumRead`: lock, ask the machine, release, act.
final class ReadOperation: Sendable {
    enum Outcome: Sendable {
        /// Decided. `blob` is the content that a replica sent along; it may be of another state.
        case answer(RegisterState<StoredRecord>?, holders: [NodeName], blob: FetchedBlob?)
        /// A write is half done.
        case finish
        case failed(FailureTally)
    }

    struct FetchedBlob: Sendable {
        enum Content: Sendable {
            case bytes(ByteBuffer)
            case place(ContentPlace)
        }
        var id: BlobID
        var content: Content
    }

    private struct State {
        var machine: QuorumRead<StoredRecord>
        var continuation: UnsafeContinuation<Outcome, Never>?
        var blob: FetchedBlob?
        var waiting: Set<NodeName> = []
        var asked: Set<NodeName> = []
        var failures = FailureTally()
    }

    private let environment: AccessEnvironment
    private let name: Wire.RegisterName
    private let clock: SharedWriterClock
    private let withBlob: Bool
    private let context: MessageContext
    private let state: Mutex<State>

    init(
        _ environment: AccessEnvironment, _ name: Model.RegisterName, rule: QuorumRule, withBlob: Bool,
        clock: SharedWriterClock, context: MessageContext
    ) {
        self.environment = environment
        self.name = Wire.RegisterName(name)
        self.clock = clock
        self.context = context
        self.withBlob = withBlob
        state = Mutex(State(machine: QuorumRead(rule: rule)))
    }

    /// Runs once.
    func run() async -> Outcome {
        await withUnsafeContinuation { continuation in
            feed { state in
                state.continuation = continuation
                return state.machine.start()
            }
            let delay = environment.readHedging.begin()
            // Held until then: a weak reference would make every retain of the operation a slow one.
            environment.timers.after(delay) { [self] in waited(delay) }
        }
    }

    // MARK: - Events

    private func received(from node: NodeName, _ result: Result<BusReply, BusError>) {
        let message = result.decoded(as: ReadReply.self).flatMap { message in
            Result { (message, try message.state.map { try RegisterState<StoredRecord>($0) }) }
                .mapError { BusError(.malformed, "\($0)") }
        }
        feed { state in
            state.waiting.remove(node)
            switch message {
            case .success((let reply, let stored)):
                clock.observe(reply.counter, stored?.tag.counter ?? 0)
                if let blob = Self.blob(of: reply, result) { state.blob = blob }
                return state.machine.onAnswer(from: node, state: stored)
            case .failure(let error):
                state.failures.add(error.status)
                return state.machine.onUnreachable(node)
            }
        }
    }

    /// Most answers come sooner: perhaps the others are asked too.
    private func waited(_ delay: Duration) {
        let silent = silentNodes
        guard !silent.isEmpty else { return }
        for node in silent { environment.health.silent(node) }
        if environment.readHedging.mayHedge(isFree: isFree(silent)) { feed { $0.machine.onSlow() } }
        let patience = environment.readHedging.patience(environment.options.slowAfter, delay)
        environment.timers.after(patience - delay) { [self] in slow() }
    }

    /// Whether asking others adds no work: who is silent answers nobody, and they are not silent too.
    private func isFree(_ silent: Set<NodeName>) -> Bool {
        guard silent.contains(where: environment.health.isSuspect) else { return false }
        let others = state.withLock { state in state.machine.rule.members.filter { !state.asked.contains($0) } }
        return others.contains { !environment.health.isSuspect($0) }
    }

    private func slow() {
        let silent = silentNodes
        guard !silent.isEmpty else { return }
        for node in silent { environment.health.failed(node) }
        feed { $0.machine.onSlow() }
    }

    private var silentNodes: Set<NodeName> { state.withLock { $0.machine.isFinished ? [] : $0.waiting } }

    private static func blob(of reply: ReadReply, _ result: Result<BusReply, BusError>) -> FetchedBlob? {
        guard !reply.blob.isEmpty, let id = BlobID(reply.blob), case .success(let message) = result else { return nil }
        if let place = reply.place {
            return ContentPlace(place, of: message.sender, checksum: reply.blobCrc32c).map {
                FetchedBlob(id: id, content: .place($0))
            }
        }
        guard let bytes = message.payload.first, reply.blobCrc32c.matches(bytes) else { return nil }
        return FetchedBlob(id: id, content: .bytes(bytes))
    }

    // MARK: - Actions

    private func feed(_ event: (inout State) -> [QuorumReadDirective<StoredRecord>]) {
        for directive in state.withLock({ event(&$0) }) {
            switch directive {
            case .ask(let nodes): ask(nodes)
            case .answer(let found, let holders):
                finish { .answer(found, holders: holders, blob: $0.blob) }
            case .finish: finish { _ in .finish }
            case .fail: finish { .failed($0.failures) }
            }
        }
    }

    private func ask(_ nodes: [NodeName]) {
        // Whoever was asked for the content before has not sent it, or has another one.
        let mustAskForBlob = state.withLock { state in
            state.waiting.formUnion(nodes)
            state.asked.formUnion(nodes)
            return withBlob && state.blob == nil
        }
        var withoutBlob: [UInt8] = []
        for (index, node) in nodes.enumerated() {
            let withBlob = mustAskForBlob && index == 0
            if withBlob || withoutBlob.isEmpty {
                let inPlace = withBlob && environment.shortCircuit?.isOpen(to: node) == true
                let body = ReadRequest(name: name, withBlob: withBlob, inPlace: inPlace).encoded()
                if !withBlob { withoutBlob = body }
                send(body, to: node)
            } else {
                send(withoutBlob, to: node)
            }
        }
    }

    private func send(_ body: [UInt8], to node: NodeName) {
        let start = ContinuousClock.now
        environment.send(
            .read, body: body, to: node, timeout: environment.options.attemptTimeout, context: context
        ) { result in
            if case .success = result { self.environment.readHedging.answered(since: start) }
            self.received(from: node, result)
        }
    }

    private func finish(_ outcome: (State) -> Outcome) {
        let (continuation, result) = state.withLock { state in
            defer {
                state.continuation = nil
                state.blob = nil
            }
            return (state.continuation, outcome(state))
        }
        continuation?.resume(returning: result)
    }
}
