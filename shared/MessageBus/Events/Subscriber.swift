import CZeroMQ
import Model
import Wire

/// The listening side: one SUB for each publisher that somebody in this process listens to. Bus thread only.
final class Subscriber {
    private final class Feed {
        let endpoint: PeerEndpoint
        let source: SocketPoller.Source
        var monitor: ConnectionMonitor?
        var types: Set<MessageType> = []

        init(_ endpoint: PeerEndpoint, _ source: SocketPoller.Source) {
            self.endpoint = endpoint
            self.source = source
        }
    }

    private struct Position: Hashable {
        var peer: NodeName
        var type: MessageType
    }

    private let shared: BusShared
    private let directory: any PeerDirectory
    private let factory: ClientSocketFactory
    private let poller: SocketPoller
    private let metrics: BusMetrics
    private var subscriptions: [SubscriptionToken: Subscription] = [:]
    private var feeds: [NodeName: Feed] = [:]
    /// Last sequence heard; kept when a feed is made anew, so that what was lost meanwhile shows.
    private var heard: [Position: UInt64] = [:]

    init(
        _ shared: BusShared, directory: any PeerDirectory, factory: ClientSocketFactory, poller: SocketPoller,
        metrics: BusMetrics
    ) {
        self.shared = shared
        self.directory = directory
        self.factory = factory
        self.poller = poller
        self.metrics = metrics
    }

    func subscribe(_ subscription: Subscription) {
        subscriptions[subscription.token] = subscription
        settle(subscription.peer)
    }

    func unsubscribe(_ token: SubscriptionToken) {
        guard let gone = subscriptions.removeValue(forKey: token) else { return }
        settle(gone.peer)
    }

    /// Finds publishers that were not known or have moved, and replaces refused sockets. Called every now and then.
    func tidy() {
        for peer in Set(subscriptions.values.map(\.peer)) { settle(peer) }
    }

    /// Brings the feed of one peer to what the directory and the subscriptions say.
    private func settle(_ peer: NodeName) {
        let wanted = subscriptions.values.filter { $0.peer == peer }.reduce(into: Set()) { $0.formUnion($1.types) }
        let endpoint = wanted.isEmpty ? nil : directory.endpoint(of: peer)
        if let feed = feeds[peer],
            endpoint?.publisher != feed.endpoint.publisher || endpoint?.publicKey != feed.endpoint.publicKey
        {
            close(feed)
        }
        guard let endpoint, !endpoint.publisher.isEmpty else { return }
        // A publisher that cannot be reached is tried again at the next call.
        guard let feed = try? feeds[peer] ?? open(endpoint) else { return }
        for type in wanted.subtracting(feed.types) { try? feed.source.socket.set(ZMQ_SUBSCRIBE, Topic.bytes(type)) }
        for type in feed.types.subtracting(wanted) {
            try? feed.source.socket.set(ZMQ_UNSUBSCRIBE, Topic.bytes(type))
            heard[Position(peer: peer, type: type)] = nil
        }
        feed.types = wanted
        poller.touch(feed.source)
    }

    private func open(_ endpoint: PeerEndpoint) throws -> Feed {
        let socket = try factory.make(ZMQ_SUB, for: endpoint.publisher, key: endpoint.publicKey)
        let source = try poller.add(socket) { [unowned self] in drain($0, endpoint.name) }
        let feed = Feed(endpoint, source)
        feeds[endpoint.name] = feed
        feed.monitor = try ConnectionMonitor(
            of: socket, context: factory.context, poller: poller
        ) { [unowned self, weak feed] event in
            // libzmq may have given it up for good: `tidy` makes a new one.
            if event == .refused || event == .disconnected, let feed { close(feed) }
        }
        do {
            try socket.connect(endpoint.publisher)
        } catch {
            close(feed)
            throw error
        }
        return feed
    }

    private func close(_ feed: Feed) {
        if feeds[feed.endpoint.name] === feed { feeds[feed.endpoint.name] = nil }
        feed.monitor?.close()
        poller.close(feed.source)
    }

    private func drain(_ socket: ZeroMQSocket, _ peer: NodeName) -> Bool {
        for _ in 0..<BusFrames.batch {
            var frame = ZeroMQMessage()
            guard socket.receive(&frame) else { return socket.events & ZMQ_POLLIN != 0 }
            deliver(&frame, from: peer)
            while frame.hasMore, socket.receive(&frame) {}
        }
        return true
    }

    /// The socket is connected to the peer's key: nobody else can speak in its name here.
    private func deliver(_ frame: inout ZeroMQMessage, from peer: NodeName) {
        guard !frame.hasMore, let (envelope, body) = frame.withBytes({ PublicationFrame.decoded($0) }),
            envelope.sender == peer.rawValue
        else {
            metrics.malformed.increment()
            return
        }
        let publication = Publication(
            type: envelope.type, sender: peer, epoch: envelope.epoch, sequence: envelope.sequence,
            missed: missed(envelope, peer), body: body)
        metrics.count(envelope.type, .heard)
        for subscription in subscriptions.values
        where subscription.peer == peer && subscription.types.contains(envelope.type) {
            subscription.onMessage(publication)
        }
    }

    private func missed(_ envelope: Envelope, _ peer: NodeName) -> UInt64 {
        let position = Position(peer: peer, type: envelope.type)
        defer { heard[position] = envelope.sequence }
        guard let last = heard[position] else { return 0 }
        // A publisher that restarted counts from the start: nobody knows what was lost before.
        return envelope.sequence > last ? envelope.sequence - last - 1 : max(envelope.sequence, 1)
    }

    func close() {
        for feed in Array(feeds.values) { close(feed) }
        subscriptions = [:]
    }
}
