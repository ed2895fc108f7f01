import CZeroMQ
import Model
import Wire

/// The publishing side: one XPUB, which tells who listens. A slow listener loses messages and sees the gap.
final class Publisher {
    private let shared: BusShared
    private let poller: SocketPoller
    private let metrics: BusMetrics
    private var source: SocketPoller.Source?
    private var audience: Set<MessageType> = []
    private(set) var address = ""

    init(_ shared: BusShared, poller: SocketPoller, metrics: BusMetrics) {
        self.shared = shared
        self.poller = poller
        self.metrics = metrics
    }

    func listen(on address: String, context: ZeroMQContext) throws {
        let configuration = shared.configuration
        let socket = try ZeroMQSocket(context, ZMQ_XPUB)
        try socket.configureForNetwork(messageBytes: configuration.limits.messageBytes)
        if configuration.security == .curve {
            try socket.becomeCurveServer(configuration.keyPair, domain: KeyAuthority.members)
        }
        self.address = try socket.bind(address)
        source = try poller.add(socket) { [unowned self] in drain($0) }
    }

    /// libzmq passes on the first listener of a topic (1, topic) and the departure of the last one (0, topic).
    private func drain(_ socket: ZeroMQSocket) -> Bool {
        for _ in 0..<BusFrames.batch {
            guard let frame = socket.receiveAll()?.first else { return socket.events & ZMQ_POLLIN != 0 }
            guard let type = Topic.type(frame.dropFirst()), (0..<64).contains(type.rawValue) else { continue }
            if frame[0] == 1 { audience.insert(type) } else { audience.remove(type) }
            shared.setAudience(audience)
        }
        return true
    }

    func publish(_ type: MessageType, sequence: UInt64, body: [UInt8]) {
        guard let source, audience.contains(type) else { return }
        let envelope = Envelope(
            protocolVersion: busProtocolVersion, type: type, sender: shared.configuration.name.rawValue,
            epoch: shared.configuration.currentEpoch(), sequence: sequence)
        metrics.count(type, .published)
        _ = source.socket.send(PublicationFrame.encoded(envelope, body: body), more: false)
        poller.touch(source)
    }

    func close() {
        if let source { poller.close(source) }
        source = nil
        shared.setAudience([])
    }
}
