import MessageBus
import Model
import Wire

extension BucketRecord {
    /// The bucket's id; nil when the record is damaged.
    public var bucketID: BucketID? { BucketID(id) }

    /// The configuration of this name; nil: the bucket has none.
    public func document(_ name: String) -> [UInt8]? { documents.first { $0.name == name }?.content }
}

extension MemberRecord {
    public var nodeName: NodeName { NodeName(name) }
}

extension PeerEndpoint {
    public init(_ member: MemberRecord) {
        self.init(
            name: NodeName(member.name), role: member.role, address: member.address, publisher: member.publisher,
            publicKey: member.publicKey)
    }
}

extension MemberState {
    /// The word that `status` shows, as LeoFS's operators know it.
    public var word: String {
        switch self {
        case .attached: "attached"
        case .running: "running"
        case .suspended: "suspend"
        case .stopped: "stop"
        case .detached: "detached"
        case .restarted: "restarted"
        default: "unknown"
        }
    }
}

extension ConsistencyLevel {
    /// nil when the settings make no sense.
    public init?(_ settings: ClusterSettings) {
        self.init(
            replicas: Int(settings.replicas), write: Int(settings.writeQuorum), read: Int(settings.readQuorum),
            delete: Int(settings.deleteQuorum))
    }
}

extension ClusterSettings {
    public mutating func set(_ level: ConsistencyLevel) {
        replicas = UInt32(level.replicas)
        writeQuorum = UInt32(level.write)
        readQuorum = UInt32(level.read)
        deleteQuorum = UInt32(level.delete)
    }
}
