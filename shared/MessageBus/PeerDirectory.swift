import Model
import Synchronization
import Wire

/// Where a process is reached and by which key it is known.
public struct PeerEndpoint: Sendable, Equatable {
    public var name: NodeName
    public var role: MemberRole
    /// `tcp://host:port` of its ROUTER; empty: it does not serve requests.
    public var address: String
    /// `tcp://host:port` of its XPUB; empty: it publishes nothing.
    public var publisher: String
    /// CURVE, 32 bytes.
    public var publicKey: [UInt8]
    /// Whether the address is that of an enrolment socket: it has no local door.
    public var isEnrolment: Bool

    public init(
        name: NodeName, role: MemberRole, address: String, publisher: String = "", publicKey: [UInt8] = [],
        isEnrolment: Bool = false
    ) {
        self.name = name
        self.role = role
        self.address = address
        self.publisher = publisher
        self.publicKey = publicKey
        self.isEnrolment = isEnrolment
    }
}

/// The members of the cluster as the bus sees them. Answers may change at any time; the bus asks again.
public protocol PeerDirectory: Sendable {
    /// Called often, on the bus thread: must be quick.
    func endpoint(of name: NodeName) -> PeerEndpoint?
    /// Who owns a key; nil: not enrolled, the connection is refused.
    func peer(publicKey: [UInt8]) -> PeerEndpoint?
}

/// A directory with fixed entries that can be changed by hand: for tools, bootstrap and tests.
public final class StaticPeerDirectory: PeerDirectory {
    private let entries: Mutex<[NodeName: PeerEndpoint]>

    public init(_ endpoints: [PeerEndpoint] = []) {
        entries = Mutex(Dictionary(endpoints.map { ($0.name, $0) }, uniquingKeysWith: { _, last in last }))
    }

    public func set(_ endpoint: PeerEndpoint) { entries.withLock { $0[endpoint.name] = endpoint } }
    public func remove(_ name: NodeName) { entries.withLock { $0[name] = nil } }

    public func endpoint(of name: NodeName) -> PeerEndpoint? { entries.withLock { $0[name] } }

    public func peer(publicKey: [UInt8]) -> PeerEndpoint? {
        entries.withLock { all in all.values.first { $0.publicKey == publicKey } }
    }
}
