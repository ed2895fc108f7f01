import Logging
import MessageBus
import Model
import NIOCore
import Observability
import Synchronization
import Wire

/// A handler made of a closure.
struct Handler: RequestHandling {
    let body: @Sendable (IncomingRequest, Responder) -> Void

    init(_ body: @escaping @Sendable (IncomingRequest, Responder) -> Void) { self.body = body }

    func handle(_ request: IncomingRequest, _ responder: Responder) { body(request, responder) }

    /// Answers a ping with the sender's name, and with the payload in reverse order.
    static let echo = Handler { request, responder in
        responder.reply(PingReply(name: request.sender.rawValue), payload: request.payload.reversed())
    }
    static let silent = Handler { _, responder in kept.withLock { $0.append(responder) } }
    /// Responders that nobody answers.
    private static let kept = Mutex<[Responder]>([])
}

/// A process on the bus.
struct TestPeer {
    let name: NodeName
    let role: MemberRole
    let keys = CurveKeyPair.generate()
    let metrics = MetricsRegistry()
    let bus: MessageBus

    init(
        _ name: NodeName, _ role: MemberRole, directory: StaticPeerDirectory, security: BusSecurity = .curve,
        listen: String? = "tcp://127.0.0.1:0", enrolment: String? = nil, keys: CurveKeyPair? = nil,
        handler: Handler = .echo, configure: (inout BusConfiguration) -> Void = { _ in }
    ) {
        self.name = name
        self.role = role
        let keys = keys ?? self.keys
        var configuration = BusConfiguration(
            name: name, role: role, keyPair: keys, listen: listen, publish: listen == nil ? nil : "tcp://127.0.0.1:0",
            enrolmentListen: enrolment, security: security)
        configure(&configuration)
        var logger = Logger(label: "test")
        logger.logLevel = .error
        bus = MessageBus(configuration, directory: directory, handler: handler, logger: logger, metrics: metrics)
    }

    func endpoint(keys: CurveKeyPair? = nil) -> PeerEndpoint {
        PeerEndpoint(
            name: name, role: role, address: bus.address, publisher: bus.publisherAddress,
            publicKey: (keys ?? self.keys).publicKey)
    }
}

/// Processes that know each other.
final class TestCluster {
    let directory = StaticPeerDirectory()
    private var peers: [TestPeer] = []

    func start(
        _ name: NodeName, _ role: MemberRole, security: BusSecurity = .curve, handler: Handler = .echo,
        configure: (inout BusConfiguration) -> Void = { _ in }
    ) throws -> TestPeer {
        let peer = TestPeer(
            name, role, directory: directory, security: security, handler: handler, configure: configure)
        try peer.bus.start()
        directory.set(peer.endpoint())
        peers.append(peer)
        return peer
    }

    /// Starts a process that the directory does not know.
    func add(_ peer: TestPeer) throws {
        try peer.bus.start()
        peers.append(peer)
    }

    func stop() async {
        for peer in peers { await peer.bus.stop() }
    }
}

func withCluster(_ body: (TestCluster) async throws -> Void) async throws {
    let cluster = TestCluster()
    do { try await body(cluster) } catch {
        await cluster.stop()
        throw error
    }
    await cluster.stop()
}

extension MessageBus {
    func ping(
        _ peer: NodeName, payload: [ByteBuffer] = [], timeout: Duration = .seconds(10),
        context: MessageContext = .init()
    ) async throws(BusError) -> (message: PingReply, payload: [ByteBuffer]) {
        try await request(
            .ping, PingRequest(), payload: payload, to: peer, timeout: timeout, context: context, answer: PingReply.self
        )
    }

    /// The status with which a request fails; nil: it succeeded.
    func refusal(
        of type: MessageType, to peer: NodeName, timeout: Duration = .seconds(10)
    ) async -> Status? {
        do throws(BusError) {
            _ = try await request(type, PingRequest(), to: peer, timeout: timeout, answer: PingReply.self)
            return nil
        } catch { return error.status }
    }
}

/// Values from callbacks, awaited in order.
struct Mailbox<Value: Sendable>: Sendable {
    private let stream: AsyncStream<Value>
    private let continuation: AsyncStream<Value>.Continuation

    init() { (stream, continuation) = AsyncStream.makeStream() }

    func put(_ value: Value) { continuation.yield(value) }

    func next() async -> Value? {
        var iterator = stream.makeAsyncIterator()
        return await iterator.next()
    }
}

func pattern(_ count: Int, seed: Int = 0) -> ByteBuffer {
    ByteBuffer(bytes: (0..<count).map { UInt8(truncatingIfNeeded: ($0 &+ seed) &* 2_654_435_761 >> 13) })
}

extension TestPeer {
    /// Whether somebody's subscription has arrived.
    var hasListener: Bool { bus.hasAudience(.hintsAdded) }
    var hasTap: Bool { bus.hasAudience(.tap) }
}
