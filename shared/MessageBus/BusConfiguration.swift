import Model
import Wire

/// How connections are protected.
public enum BusSecurity: String, Sendable {
    case curve
    /// No keys at all; permitted for loopback and ipc addresses only.
    case none
}

/// Bounds of one bus. Beyond them callers fail fast with `overloaded`.
public struct BusLimits: Sendable {
    /// Requests to one peer without an answer yet.
    public var requestsPerPeer = 4096
    /// Bytes of the requests to one peer without an answer yet, or not yet on the wire.
    public var bytesPerPeer = 64 << 20
    /// Requests of all peers that this process has not answered yet.
    public var requestsServed = 16384
    /// Bytes of those requests.
    public var bytesServed = 512 << 20
    /// Commands that wait for the bus thread.
    public var queue = 65536
    /// One message, all frames.
    public var messageBytes = Limits.messageSizeMax
    /// How long requests wait for a peer that was just lost or refused a connection before they fail as `unreachable`.
    public var connectGrace: Duration = .milliseconds(200)
    /// How long they wait for a peer of which nothing is known yet, or that is shaking hands.
    public var handshakeGrace: Duration = .seconds(2)
    /// How long `stop` waits for what is in flight.
    public var drain: Duration = .seconds(1)

    public init() {}
}

public struct BusConfiguration: Sendable {
    public var name: NodeName
    public var role: MemberRole
    public var keyPair: CurveKeyPair
    /// Where requests are served, `tcp://host:port`, port 0 for any; nil: this process only asks.
    public var listen: String?
    /// Where messages are published; nil: nothing is.
    public var publish: String?
    /// A second socket on which any key may connect, but only ENROL is dispatched.
    public var enrolmentListen: String?
    public var security: BusSecurity
    /// Where processes of the same machine and account find each other; nil: they talk by the network only.
    public var localDoors: LocalDoors?
    public var limits: BusLimits
    /// The ring epoch that goes out with every message.
    public var currentEpoch: @Sendable () -> UInt64

    public init(
        name: NodeName, role: MemberRole, keyPair: CurveKeyPair, listen: String? = nil, publish: String? = nil,
        enrolmentListen: String? = nil, security: BusSecurity = .curve, localDoors: LocalDoors? = nil,
        limits: BusLimits = BusLimits(),
        currentEpoch: @escaping @Sendable () -> UInt64 = { 0 }
    ) {
        self.name = name
        self.role = role
        self.keyPair = keyPair
        self.listen = listen
        self.publish = publish
        self.enrolmentListen = enrolmentListen
        self.security = security
        self.localDoors = localDoors
        self.limits = limits
        self.currentEpoch = currentEpoch
    }
}
