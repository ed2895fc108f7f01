import CZeroMQ
import Model
import NIOCore
import Wire

/// The asking side: one DEALER for each peer, requests in flight, deadlines. Bus thread only.
final class RequestClient {
    private final class InFlight {
        var request: OutgoingRequest
        let peer: PeerConnection
        let bytes: Int
        /// Empty unless the tap was on.
        let subject: TapSubject
        var isSent = false

        init(_ request: OutgoingRequest, _ peer: PeerConnection, bytes: Int, subject: TapSubject) {
            self.request = request
            self.peer = peer
            self.bytes = bytes
            self.subject = subject
        }
    }

    private let shared: BusShared
    private let directory: any PeerDirectory
    private let factory: ClientSocketFactory
    private let poller: SocketPoller
    private let metrics: BusMetrics
    private let tap: TapFeed
    private var peers: [NodeName: PeerConnection] = [:]
    private var inFlight = SlotTable<InFlight>()
    private var deadlines = DeadlineHeap<UInt64>()
    /// When the first of the peers that are being connected is given up; nil: none is.
    private var nextGraceEnd: UInt64?
    /// Peers whose local doors opened after they were connected.
    private var movable: Set<NodeName> = []
    /// Refused or changed peers get a new socket, not before this time.
    private var notBefore: [NodeName: UInt64] = [:]
    var isStopping = false

    /// How long a found endpoint is trusted.
    private static let endpointTrust: UInt64 = 100_000_000
    private static let retryAfterRefusal: UInt64 = 250_000_000
    /// A connection that ended sooner was never meant.
    private static let shortestConnection: UInt64 = 20_000_000

    init(
        _ shared: BusShared, directory: any PeerDirectory, factory: ClientSocketFactory, poller: SocketPoller,
        metrics: BusMetrics, tap: TapFeed
    ) {
        self.shared = shared
        self.directory = directory
        self.factory = factory
        self.poller = poller
        self.metrics = metrics
        self.tap = tap
    }

    private var connectGrace: UInt64 { shared.configuration.limits.connectGrace.boundedNanoseconds }
    private var handshakeGrace: UInt64 { shared.configuration.limits.handshakeGrace.boundedNanoseconds }

    var isIdle: Bool { inFlight.isEmpty }

    // MARK: - Requests

    func accept(_ request: OutgoingRequest) {
        let bytes = request.body.count + request.payloadBytes
        switch admit(request, bytes: bytes) {
        case .failure(let error): request.completion(.failure(error))
        case .success(let peer): enqueue(request, to: peer, bytes: bytes)
        }
    }

    private func admit(_ request: OutgoingRequest, bytes: Int) -> Result<PeerConnection, BusError> {
        let limits = shared.configuration.limits
        if isStopping { return .failure(BusError(.unavailable, "stopping")) }
        let now = monotonicNanoseconds()
        guard request.due > now else {
            metrics.timedOut(request.type)
            return .failure(BusError(.deadlineExceeded, "before it was sent"))
        }
        guard bytes <= limits.messageBytes, request.payload.count <= BusFrames.payloadFramesMax else {
            return .failure(BusError(.tooLarge, "\(bytes) bytes in one message"))
        }
        return connection(to: request.peer, now: now).flatMap { peer in
            guard peer.requests < limits.requestsPerPeer,
                max(peer.bytes, peer.held.value) + bytes <= limits.bytesPerPeer
            else { return .failure(BusError(.overloaded, "too much in flight to \(peer.endpoint.name)")) }
            return .success(peer)
        }
    }

    private func enqueue(_ request: OutgoingRequest, to peer: PeerConnection, bytes: Int) {
        peer.requests += 1
        peer.bytes += bytes
        let subject = tap.isOn ? TapSubject.of(request.type, body: request.body) : TapSubject()
        let number = inFlight.insert(InFlight(request, peer, bytes: bytes, subject: subject))
        deadlines.insert(number, due: request.due)
        metrics.inFlight.set(inFlight.count)
        if !peer.waiting.isEmpty || !transmit(number) { peer.waiting.append(number) }
    }

    /// False when there is no connection or the peer's socket takes nothing now.
    private func transmit(_ number: UInt64) -> Bool {
        guard let entry = inFlight[number] else { return true }
        guard entry.peer.state == .connected else { return false }
        let request = entry.request
        let now = monotonicNanoseconds()
        let left = request.due > now ? (request.due - now + 999_999) / 1_000_000 : 1
        let context = request.context
        let envelope = Envelope(
            protocolVersion: busProtocolVersion, type: request.type, correlationId: number,
            sender: shared.configuration.name.rawValue,
            epoch: context.epoch == 0 ? shared.configuration.currentEpoch() : context.epoch,
            timeoutMilliseconds: UInt32(clamping: left), traceparent: context.traceparent,
            requestId: context.requestID)
        poller.touch(entry.peer.source)
        guard
            BusFrames.send(
                envelope, body: request.body, payload: request.payload, to: entry.peer.source.socket,
                account: entry.peer.held)
        else { return false }
        metrics.count(request.type, .sent)
        if tap.isOn { tap.sent(request, number, subject: entry.subject) }
        entry.isSent = true
        // libzmq keeps what it needs.
        entry.request.body = []
        entry.request.payload = []
        return true
    }

    private func finish(_ number: UInt64, _ result: Result<BusReply, BusError>) {
        guard let entry = inFlight.remove(number) else { return }
        entry.peer.requests -= 1
        entry.peer.bytes -= entry.bytes
        if inFlight.isEmpty { deadlines.removeAll() }
        metrics.inFlight.set(inFlight.count)
        if tap.isOn { tap.finished(entry.request, number, subject: entry.subject, result) }
        entry.request.completion(result)
    }

    private func fail(_ numbers: [UInt64], _ error: BusError) {
        for number in numbers { finish(number, .failure(error)) }
    }

    // MARK: - Answers

    private func drain(_ peer: PeerConnection) -> Bool {
        for _ in 0..<BusFrames.batch {
            guard
                let message = BusFrames.receive(
                    from: peer.source.socket, leadingFrame: false,
                    messageBytes: shared.configuration.limits.messageBytes)
            else {
                // A receive that finds nothing has looked at the socket's mailbox.
                guard !peer.waiting.isEmpty else { return false }
                let events = peer.source.socket.events
                if events & ZMQ_POLLOUT != 0 { flush(peer) }
                return events & ZMQ_POLLIN != 0
            }
            receive(message, from: peer)
        }
        return true
    }

    /// An answer counts only when it comes from the peer that was asked.
    private func receive(_ message: ReceivedMessage, from peer: PeerConnection) {
        guard let envelope = message.envelope, envelope.reply else {
            metrics.malformed.increment()
            return
        }
        guard let entry = inFlight[envelope.correlationId], entry.peer === peer else {
            metrics.expired.increment()
            return
        }
        metrics.answered(entry.request.type, nanoseconds: monotonicNanoseconds() - entry.request.started)
        finish(envelope.correlationId, result(message, envelope, peer))
    }

    private func result(
        _ message: ReceivedMessage, _ envelope: Envelope, _ peer: PeerConnection
    ) -> Result<BusReply, BusError> {
        if message.fault != nil { return .failure(BusError(.malformed, "the answer of \(peer.endpoint.name)")) }
        guard envelope.status == .ok else {
            return .failure(BusError(envelope.status, envelope.errorMessage, epoch: envelope.epoch))
        }
        return .success(
            BusReply(
                epoch: envelope.epoch, body: message.body, payload: message.payload, sender: peer.endpoint.name))
    }

    private func flush(_ peer: PeerConnection) {
        guard !peer.waiting.isEmpty else { return }
        var sent = 0
        while sent < peer.waiting.count, transmit(peer.waiting[sent]) { sent += 1 }
        peer.waiting.removeFirst(sent)
    }

    // MARK: - Connections

    private func connection(to name: NodeName, now: UInt64) -> Result<PeerConnection, BusError> {
        if let peer = peers[name], now - peer.checked < Self.endpointTrust { return usable(peer) }
        let endpoint = directory.endpoint(of: name)
        if let peer = peers[name] {
            peer.checked = now
            if peer.endpoint.isSameDoor(as: endpoint) { return usable(peer) }
            drop(peer, "its address or key changed")
        }
        guard let endpoint, !endpoint.address.isEmpty else {
            return .failure(BusError(.unreachable, "\(name) is not in the directory"))
        }
        guard notBefore[name, default: 0] <= now else {
            return .failure(
                BusError(.unreachable, "\(name) refused the connection: is the key of this process enrolled?"))
        }
        do {
            return .success(try open(endpoint, now))
        } catch {
            return .failure(BusError(.unreachable, "\(error)"))
        }
    }

    private func usable(_ peer: PeerConnection) -> Result<PeerConnection, BusError> {
        if case .unreachable(let reason) = peer.state { return .failure(BusError(.unreachable, reason)) }
        return .success(peer)
    }

    private func open(_ endpoint: PeerEndpoint, _ now: UInt64) throws -> PeerConnection {
        let door = factory.door(to: endpoint)
        let peer = PeerConnection(
            endpoint, through: door, source: try source(for: endpoint, through: door), poller: poller, now: now,
            grace: handshakeGrace)
        peers[endpoint.name] = peer
        do {
            try connect(peer)
        } catch {
            drop(peer, "\(error)")
            throw error
        }
        expect(peer, by: now + handshakeGrace)
        return peer
    }

    private func source(for endpoint: PeerEndpoint, through door: PeerDoor) throws -> SocketPoller.Source {
        let socket = try factory.makeDealer(through: door, of: endpoint)
        return try poller.add(socket) { [unowned self] _ in
            guard let peer = peers[endpoint.name], peer.source.socket === socket else { return false }
            return drain(peer)
        }
    }

    /// Watches first: who connects before misses the news that there is a connection, and waits for it in vain.
    private func connect(_ peer: PeerConnection) throws {
        peer.monitor = try ConnectionMonitor(
            of: peer.source.socket, context: factory.context, poller: poller
        ) { [unowned self, weak peer] event in
            if let peer { handle(event, peer) }
        }
        try peer.source.socket.connect(peer.door.address)
    }

    /// Goes on with a new socket; requests that were not sent wait for it.
    private func reconnect(_ peer: PeerConnection, _ now: UInt64) {
        // Who takes a connection only to drop it is not tried again and again without a pause.
        guard now - min(now, peer.connectedSince) > Self.shortestConnection else {
            notBefore[peer.endpoint.name] = now + Self.retryAfterRefusal
            return drop(peer, "\(peer.endpoint.name) drops connections")
        }
        connectAnew(peer, through: factory.door(to: peer.endpoint), now)
    }

    private func connectAnew(_ peer: PeerConnection, through door: PeerDoor, _ now: UInt64) {
        do {
            peer.replace(by: try source(for: peer.endpoint, through: door), through: door)
            try connect(peer)
        } catch {
            return drop(peer, "\(error)")
        }
        peer.connectingSince = now
        expect(peer, by: now + connectGrace)
    }

    private func handle(_ event: ConnectionMonitor.Event, _ peer: PeerConnection) {
        let now = monotonicNanoseconds()
        peer.lastEvent = now
        switch event {
        case .failed:
            guard case .connecting(let end) = peer.state else { return }
            expect(peer, by: min(end, now + connectGrace))
        case .answered:
            // Counted from the first try: whoever answers but never shakes hands is not waited for again and again.
            guard case .connecting(let end) = peer.state else { return }
            expect(peer, by: max(end, peer.connectingSince + handshakeGrace))
        case .connected:
            peer.state = .connected
            peer.connectedSince = now
            notBefore[peer.endpoint.name] = nil
            poller.touch(peer.source)
        case .disconnected:
            guard peer.state == .connected else { return }
            while drain(peer) {}
            let lost = inFlight.numbers { $0.peer === peer && $0.isSent }
            reconnect(peer, now)
            // May have been carried out, or may still be.
            fail(lost, BusError(.unreachable, "the connection to \(peer.endpoint.name) was lost"))
        case .refused:
            notBefore[peer.endpoint.name] = now + Self.retryAfterRefusal
            drop(peer, "\(peer.endpoint.name) refused the connection: is the key of this process enrolled?")
        }
    }

    /// The next request gets a new socket: libzmq gives a connection up for good when the peer refused it.
    private func drop(_ peer: PeerConnection, _ reason: String) {
        if peers[peer.endpoint.name] === peer { peers[peer.endpoint.name] = nil }
        peer.close(discardingUnsent: true)
        fail(inFlight.numbers { $0.peer === peer }, BusError(.unreachable, reason))
    }

    // MARK: - Time

    /// Fails what is due, and what waited too long for a connection. Returns when to come again.
    func advance(to now: UInt64) -> UInt64? {
        while let (due, number) = deadlines.first {
            let isAlive = inFlight[number] != nil
            if isAlive, due > now { break }
            _ = deadlines.removeFirst()
            if isAlive { timeOut(number) }
        }
        if let end = nextGraceEnd, end <= now { giveUpConnecting(now) }
        if !movable.isEmpty { moveIdle(now) }
        guard let due = deadlines.first?.due else { return nextGraceEnd }
        return min(due, nextGraceEnd ?? due)
    }

    private func expect(_ peer: PeerConnection, by end: UInt64) {
        peer.state = .connecting(graceEnds: end)
        nextGraceEnd = min(nextGraceEnd ?? end, end)
    }

    private func giveUpConnecting(_ now: UInt64) {
        nextGraceEnd = nil
        for peer in peers.values {
            guard case .connecting(let end) = peer.state else { continue }
            guard end <= now else {
                expect(peer, by: end)
                continue
            }
            let reason = "no connection to \(peer.endpoint.name) at \(peer.endpoint.address)"
            peer.state = .unreachable(reason)
            fail(peer.waiting, BusError(.unreachable, reason))
            peer.waiting = []
        }
    }

    private func timeOut(_ number: UInt64) {
        guard let entry = inFlight[number] else { return }
        metrics.timedOut(entry.request.type)
        if !entry.isSent { entry.peer.waiting.removeAll { $0 == number } }
        finish(number, .failure(BusError(.deadlineExceeded, "no answer from \(entry.request.peer)")))
    }

    /// Closes connections to peers that left or moved, so that they do not try for ever, and those that libzmq gave up
    /// without a word (it does so when the peer broke the protocol): as long as it tries, there are events.
    func tidy(_ now: UInt64) {
        for (name, peer) in peers {
            if !peer.endpoint.isSameDoor(as: directory.endpoint(of: name)) {
                drop(peer, "\(name) left or moved")
            } else if peer.state != .connected, now - min(now, peer.lastEvent) > 2 * handshakeGrace {
                drop(peer, "no connection to \(name)")
            } else if peer.state == .connected, !movable.contains(name), case .network = peer.door,
                factory.door(to: peer.endpoint) != peer.door
            {
                movable.insert(name)
            }
        }
    }

    /// Peers that were reached by the network before their local doors opened move there when nothing is in flight.
    private func moveIdle(_ now: UInt64) {
        for name in movable {
            guard let peer = peers[name], peer.state == .connected, case .network = peer.door else {
                movable.remove(name)
                continue
            }
            guard peer.requests == 0 else { continue }
            movable.remove(name)
            connectAnew(peer, through: factory.door(to: peer.endpoint), now)
        }
    }

    func close(_ error: BusError) {
        fail(inFlight.numbers { _ in true }, error)
        for peer in peers.values { peer.close(discardingUnsent: false) }
        peers = [:]
    }
}

extension PeerEndpoint {
    /// Whether a connection to this endpoint is a connection to the other one.
    fileprivate func isSameDoor(as other: PeerEndpoint?) -> Bool {
        other?.address == address && other?.publicKey == publicKey
    }
}
