import CZeroMQ
import Logging
import Model
import Observability

#if canImport(Glibc)
    import Glibc
#endif

/// Everything that lives on the bus thread: it owns all sockets of the process and calls handlers and completions.
final class BusThread {
    private let shared: BusShared
    private let context: ZeroMQContext
    private let poller: SocketPoller
    private let authority: KeyAuthority?
    private let server: RequestServer
    private let client: RequestClient
    private let publisher: Publisher
    private let subscriber: Subscriber
    private let tap: TapFeed
    private var commands: [BusCommand] = []
    private var nextTidying: UInt64 = 0
    /// When the drain ends; nil: running.
    private var stopBy: UInt64?

    private static let tidyInterval: UInt64 = 250_000_000

    /// Binds all sockets, on the caller's thread: whoever starts a bus learns at once whether it can.
    init(
        _ shared: BusShared, directory: any PeerDirectory, handler: any RequestHandling, logger: Logger,
        metrics registry: MetricsRegistry
    ) throws {
        let configuration = shared.configuration
        let metrics = BusMetrics(registry)
        self.shared = shared
        context = try ZeroMQContext()
        poller = try SocketPoller(wakeUp: shared.queue.wakeUp)
        authority =
            configuration.security == .curve
            ? try KeyAuthority(context, poller, directory: directory, logger: logger, metrics: metrics) : nil
        let factory = ClientSocketFactory(context: context, configuration: configuration)
        server = RequestServer(
            shared, handler: handler, directory: directory, authority: authority, poller: poller, metrics: metrics)
        publisher = Publisher(shared, poller: poller, metrics: metrics)
        tap = TapFeed(shared, publisher: publisher)
        client = RequestClient(
            shared, directory: directory, factory: factory, poller: poller, metrics: metrics, tap: tap)
        subscriber = Subscriber(
            shared, directory: directory, factory: factory, poller: poller, metrics: metrics)
        do { try listen(configuration) } catch {
            closeSockets()
            throw error
        }
    }

    private func listen(_ configuration: BusConfiguration) throws {
        let doors = [configuration.listen, configuration.publish, configuration.enrolmentListen].compactMap(\.self)
        if configuration.security == .none, let open = doors.first(where: { !BusAddress.isLocal($0) }) {
            throw BusSetupError("bind \(open)", reason: "without encryption only loopback is permitted")
        }
        if let address = configuration.listen {
            try server.listen(.members, on: address, context: context)
            if let local = configuration.localDoors?.address(of: configuration.keyPair.publicKey) {
                try server.listen(.local, on: local, context: context)
            }
        }
        if let address = configuration.enrolmentListen { try server.listen(.newcomers, on: address, context: context) }
        if let address = configuration.publish { try publisher.listen(on: address, context: context) }
    }

    var addresses: BusAddresses {
        BusAddresses(
            requests: server.addresses[RequestServer.Listener.members.rawValue], publications: publisher.address,
            enrolment: server.addresses[RequestServer.Listener.newcomers.rawValue])
    }

    // MARK: - Loop

    func run() {
        while true {
            shared.queue.take(into: &commands)
            for command in commands { execute(command) }
            let touched = poller.drainDirty()
            let now = monotonicNanoseconds()
            let next = advance(to: now)
            if let stopBy, stopBy <= now || (client.isIdle && server.outstanding == 0) { break }
            if !touched, commands.isEmpty, shared.queue.prepareToSleep() { poller.wait(milliseconds: next.pause(now)) }
        }
        close()
    }

    /// Does what is due and returns when something will be.
    private func advance(to now: UInt64) -> UInt64 {
        if nextTidying <= now {
            client.tidy(now)
            subscriber.tidy()
            nextTidying = now + Self.tidyInterval
        }
        let due = client.advance(to: now) ?? nextTidying
        return min(due, nextTidying, stopBy ?? nextTidying)
    }

    private func execute(_ command: BusCommand) {
        switch command {
        case .request(let request): client.accept(request)
        case .reject(let completion, let error): completion(.failure(error))
        case .reply(let reply): server.answer(reply)
        case .publication(let type, let sequence, let body):
            publisher.publish(type, sequence: sequence, body: body)
            if tap.isOn, type != .tap { tap.published(type, body: body) }
        case .subscribe(let subscription): subscriber.subscribe(subscription)
        case .unsubscribe(let token): subscriber.unsubscribe(token)
        case .stop: beginStopping()
        }
    }

    private func beginStopping() {
        guard stopBy == nil else { return }
        stopBy = monotonicNanoseconds() + shared.configuration.limits.drain.boundedNanoseconds
        client.isStopping = true
        server.isStopping = true
    }

    // MARK: - End

    private func close() {
        client.close(BusError(.unavailable, "stopping"))
        shared.closeQueue { server.answer($0) }
        closeSockets()
    }

    private func closeSockets() {
        subscriber.close()
        publisher.close()
        server.close()
        authority?.close()
        context.terminate()
    }
}

/// Where a bus listens, with the ports in force.
struct BusAddresses: Sendable {
    var requests = ""
    var publications = ""
    var enrolment = ""
}

extension UInt64 {
    /// Milliseconds from now until this time, rounded up.
    fileprivate func pause(_ now: UInt64) -> Int32 {
        self <= now ? 0 : Int32(clamping: (self - now + 999_999) / 1_000_000)
    }
}

/// Runs a body on a thread of its own with all signals blocked: they are for the main thread.
func startThread(named name: String, _ body: sending @escaping () -> Void) throws {
    final class Box {
        let name: String
        let body: () -> Void
        init(_ name: String, _ body: @escaping () -> Void) {
            self.name = name
            self.body = body
        }
    }
    var everything = sigset_t()
    var before = sigset_t()
    sigfillset(&everything)
    pthread_sigmask(SIG_SETMASK, &everything, &before)
    defer { pthread_sigmask(SIG_SETMASK, &before, nil) }
    let box = Unmanaged.passRetained(Box(name, body))
    var thread = pthread_t()
    let status = pthread_create(
        &thread, nil,
        { argument in
            let box = Unmanaged<Box>.fromOpaque(argument!).takeRetainedValue()
            _ = martlet_name_thread(box.name)
            box.body()
            return nil
        }, box.toOpaque())
    guard status == 0 else {
        box.release()
        throw BusSetupError("pthread_create", code: status)
    }
    pthread_detach(thread)
}
