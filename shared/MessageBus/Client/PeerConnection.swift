import CZeroMQ
import Model

/// The DEALER to one peer and what is known about its connection. Bus thread only.
///
/// A socket serves one connection: when that is lost, a new socket takes its place, as libzmq would keep what is queued in
/// the old one and deliver it whenever the peer comes back. Requests are given to libzmq only while there is a connection.
final class PeerConnection {
    enum State: Equatable {
        /// libzmq is trying; requests wait until `graceEnds`.
        case connecting(graceEnds: UInt64)
        case connected
        /// libzmq goes on trying; requests fail at once.
        case unreachable(String)
    }

    let endpoint: PeerEndpoint
    private(set) var source: SocketPoller.Source
    /// What the socket is connected to.
    private(set) var door: PeerDoor
    /// Set right after the socket exists.
    var monitor: ConnectionMonitor?
    var state: State
    var connectingSince: UInt64
    var connectedSince: UInt64 = 0
    /// When libzmq last told something about the connection.
    var lastEvent: UInt64
    /// Numbers of requests that wait for the connection, oldest first.
    var waiting: [UInt64] = []
    var requests = 0
    var bytes = 0
    /// Payload that libzmq has not sent yet, also of requests that were given up.
    let held = HeldBytes()
    /// When the directory was last asked whether the endpoint is still right.
    var checked: UInt64
    private let poller: SocketPoller

    init(
        _ endpoint: PeerEndpoint, through door: PeerDoor, source: SocketPoller.Source, poller: SocketPoller,
        now: UInt64, grace: UInt64
    ) {
        self.endpoint = endpoint
        self.door = door
        self.source = source
        self.poller = poller
        checked = now
        connectingSince = now
        lastEvent = now
        state = .connecting(graceEnds: now + grace)
    }

    func replace(by source: SocketPoller.Source, through door: PeerDoor) {
        close(discardingUnsent: true)
        self.source = source
        self.door = door
    }

    func close(discardingUnsent: Bool) {
        monitor?.close()
        monitor = nil
        poller.close(source, discardingUnsent: discardingUnsent)
    }
}

/// By which of its sockets a peer is reached.
enum PeerDoor: Equatable {
    case network(String)
    /// On this machine, see ``LocalDoors``.
    case local(String)

    var address: String {
        switch self {
        case .network(let address), .local(let address): address
        }
    }
}

/// Makes client sockets with the security of the process.
struct ClientSocketFactory {
    let context: ZeroMQContext
    let configuration: BusConfiguration

    /// The best door that is open now.
    func door(to endpoint: PeerEndpoint) -> PeerDoor {
        guard let doors = configuration.localDoors, !endpoint.isEnrolment, doors.isOpen(of: endpoint.publicKey) else {
            return .network(endpoint.address)
        }
        return .local(doors.address(of: endpoint.publicKey))
    }

    /// A socket for requests, ready to connect to this door.
    func makeDealer(through door: PeerDoor, of endpoint: PeerEndpoint) throws -> ZeroMQSocket {
        switch door {
        case .network(let address): return try make(ZMQ_DEALER, for: address, key: endpoint.publicKey)
        case .local:
            let socket = try make(ZMQ_DEALER)
            try socket.set(ZMQ_ROUTING_ID, LocalConnectionName.make(configuration.keyPair.publicKey))
            return socket
        }
    }

    private func make(_ type: Int32) throws -> ZeroMQSocket {
        let socket = try ZeroMQSocket(context, type)
        try socket.configureForNetwork(messageBytes: configuration.limits.messageBytes)
        return socket
    }

    /// A socket that is ready to connect to this address.
    func make(_ type: Int32, for address: String, key: [UInt8]) throws -> ZeroMQSocket {
        let socket = try make(type)
        switch configuration.security {
        case .curve:
            guard key.count == 32 else {
                throw BusSetupError("connect \(address)", reason: "the peer's key is unknown")
            }
            try socket.becomeCurveClient(configuration.keyPair, server: key)
        case .none:
            guard BusAddress.isLocal(address) else {
                throw BusSetupError("connect \(address)", reason: "without encryption only loopback is permitted")
            }
        }
        return socket
    }
}

enum BusAddress {
    /// Whether bytes sent to this address stay on the machine.
    static func isLocal(_ address: String) -> Bool {
        ["ipc://", "inproc://", "tcp://127.", "tcp://localhost:", "tcp://[::1]:"].contains { address.hasPrefix($0) }
    }
}
