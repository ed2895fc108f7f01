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
        _ endpoint: PeerEndpoint, source: SocketPoller.Source, poller: SocketPoller, now: UInt64, grace: UInt64
    ) {
        self.endpoint = endpoint
        self.source = source
        self.poller = poller
        checked = now
        connectingSince = now
        lastEvent = now
        state = .connecting(graceEnds: now + grace)
    }

    func replace(by source: SocketPoller.Source) {
        close(discardingUnsent: true)
        self.source = source
    }

    func close(discardingUnsent: Bool) {
        monitor?.close()
        monitor = nil
        poller.close(source, discardingUnsent: discardingUnsent)
    }
}

/// Makes client sockets with the security of the process.
struct ClientSocketFactory {
    let context: ZeroMQContext
    let configuration: BusConfiguration

    /// A socket that is ready to connect to this address.
    func make(_ type: Int32, for address: String, key: [UInt8]) throws -> ZeroMQSocket {
        let socket = try ZeroMQSocket(context, type)
        try socket.configureForNetwork(messageBytes: configuration.limits.messageBytes)
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
