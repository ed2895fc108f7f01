import Logging
import Model
import NIOCore
import Observability
import Synchronization
import Wire

/// Requests, replies and publications between the processes of a cluster. See docs/internals/message-bus.md.
public final class MessageBus: RequestSending {
    private enum Phase {
        case new
        case running(BusAddresses, waiters: [CheckedContinuation<Void, Never>])
        case stopped
    }

    private let shared: Result<BusShared, any Error>
    private let directory: any PeerDirectory
    private let handler: any RequestHandling
    private let logger: Logger
    private let metrics: MetricsRegistry
    private let phase = Mutex(Phase.new)
    private let tokens = Atomic<UInt64>(0)

    public init(
        _ configuration: BusConfiguration, directory: any PeerDirectory, handler: any RequestHandling, logger: Logger,
        metrics: MetricsRegistry
    ) {
        shared = Result { try BusShared(configuration) }
        self.directory = directory
        self.handler = handler
        self.logger = logger
        self.metrics = metrics
    }

    deinit { beginStopping() }

    private func push(_ command: BusCommand) {
        guard case .success(let shared) = shared else { return }
        _ = shared.queue.push(command, urgent: true)
    }

    // MARK: - Life

    /// Binds the sockets and starts the bus thread. Requests sent before wait in the queue.
    public func start() throws {
        let shared = try shared.get()
        guard case .new = phase.withLock({ $0 }) else { throw BusSetupError("start", reason: "started before") }
        let thread = try BusThread(shared, directory: directory, handler: handler, logger: logger, metrics: metrics)
        phase.withLock { $0 = .running(thread.addresses, waiters: []) }
        let finished = { @Sendable [weak self] in self?.finished() }
        nonisolated(unsafe) let handedOver = thread
        try startThread(named: "bus") {
            handedOver.run()
            finished()
        }
    }

    /// Refuses new requests, waits for what is in flight up to `BusLimits.drain`, closes everything.
    public func stop() async {
        await withCheckedContinuation { continuation in
            let isRunning = phase.withLock { phase in
                guard case .running(let addresses, let waiters) = phase else { return false }
                phase = .running(addresses, waiters: waiters + [continuation])
                return true
            }
            beginStopping()
            if !isRunning { continuation.resume() }
        }
    }

    /// A bus that runs ends its thread; one that was never started has only its queue to empty.
    private func beginStopping() {
        let wasNew = phase.withLock { phase in
            guard case .new = phase else { return false }
            phase = .stopped
            return true
        }
        if wasNew { try? shared.get().closeQueue() } else { push(.stop) }
    }

    private func finished() {
        let waiters = phase.withLock { phase -> [CheckedContinuation<Void, Never>] in
            guard case .running(_, let waiters) = phase else { return [] }
            phase = .stopped
            return waiters
        }
        for waiter in waiters { waiter.resume() }
    }

    private var addresses: BusAddresses {
        phase.withLock {
            guard case .running(let addresses, _) = $0 else { return BusAddresses() }
            return addresses
        }
    }

    /// Where requests are served, with the port in force; empty: nowhere.
    public var address: String { addresses.requests }
    /// Where messages are published, with the port in force; empty: nowhere.
    public var publisherAddress: String { addresses.publications }
    /// Where enrolment is served, with the port in force; empty: nowhere.
    public var enrolmentAddress: String { addresses.enrolment }

    // MARK: - Messages

    /// After `stop` the completion is called at once, on the caller's thread.
    public func send(
        _ type: MessageType, body: [UInt8], payload: [ByteBuffer], to peer: NodeName, timeout: Duration,
        context: MessageContext, completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
    ) {
        guard case .success(let shared) = shared else {
            completion(.failure(BusError(.unavailable, "the bus was not started")))
            return
        }
        let now = monotonicNanoseconds()
        let request = OutgoingRequest(
            type: type, peer: peer, body: body, payload: payload, context: context, started: now,
            due: now + timeout.boundedNanoseconds, completion: completion)
        switch shared.queue.push(.request(request)) {
        case .accepted: break
        case .full:
            let error = BusError(.overloaded, "the queue of the bus is full")
            _ = shared.queue.push(.reject(completion, error), urgent: true)
        case .closed: completion(.failure(BusError(.unavailable, "the bus was stopped")))
        }
    }

    /// Whether somebody listens to this type: expensive publications need not be made for nobody.
    public func hasAudience(_ type: MessageType) -> Bool { (try? shared.get().hasAudience(type)) ?? false }

    /// Publishes to whoever subscribed; only counts when nobody did. Types up to 63.
    public func publish(_ type: MessageType, _ message: some WireMessage) {
        guard case .success(let shared) = shared else { return }
        shared.publish(type) { message.encoded() }
    }

    /// Listens to a peer's publications, as soon and as long as the directory knows where it publishes; `onMessage` is
    /// called on the bus thread: it must not block.
    public func subscribe(
        to peer: NodeName, _ types: [MessageType], onMessage: @escaping @Sendable (Publication) -> Void
    ) -> SubscriptionToken {
        let token = SubscriptionToken(id: tokens.wrappingAdd(1, ordering: .relaxed).newValue)
        push(.subscribe(Subscription(token: token, peer: peer, types: Set(types), onMessage: onMessage)))
        return token
    }

    public func unsubscribe(_ token: SubscriptionToken) { push(.unsubscribe(token)) }
}
