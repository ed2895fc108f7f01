import Logging
import Model
import NIOCore
import Observability
import Wire

/// Requests, replies and publications between the processes of a cluster.
public final class MessageBus: RequestSending {
    public init(
        _ configuration: BusConfiguration, directory: any PeerDirectory, handler: any RequestHandling, logger: Logger,
        metrics: MetricsRegistry
    ) {}

    /// Binds the sockets and starts the bus thread.
    public func start() throws {}

    /// Refuses new requests, waits for what is in flight up to `BusLimits.drain`, closes everything.
    public func stop() async {}

    /// Where requests are served, with the port in force; empty: nowhere.
    public var address: String { "" }
    /// Where messages are published, with the port in force; empty: nowhere.
    public var publisherAddress: String { "" }
    /// Where enrolment is served, with the port in force; empty: nowhere.
    public var enrolmentAddress: String { "" }

    public func send(
        _ type: MessageType, body: [UInt8], payload: [ByteBuffer], to peer: NodeName, timeout: Duration,
        context: MessageContext, completion: @escaping @Sendable (Result<BusReply, BusError>) -> Void
    ) {
        completion(.failure(BusError(.unreachable, "not implemented")))
    }

    /// Publishes to whoever subscribed; does nothing when nobody did.
    public func publish(_ type: MessageType, _ message: some WireMessage) {}

    /// Listens to a peer's publications; `onMessage` is called on the bus thread: it must not block.
    public func subscribe(
        to peer: NodeName, _ types: [MessageType], onMessage: @escaping @Sendable (Publication) -> Void
    ) -> SubscriptionToken {
        SubscriptionToken(id: 0)
    }

    public func unsubscribe(_ token: SubscriptionToken) {}
}
