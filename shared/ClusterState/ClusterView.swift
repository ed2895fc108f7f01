import Model
import Ring
import Wire

/// The cluster's state at one revision. Immutable and cheap to copy: one reference.
public struct ClusterView: Sendable {
    private let contents: Contents

    /// Nothing known yet.
    public static let empty = ClusterView(contents: Contents())

    /// A view of these entries alone.
    public init(revision: UInt64, entries: [StateEntry]) {
        self = ClusterView.empty.applying(entries, revision: revision)
    }

    private init(contents: Contents) { self.contents = contents }

    /// Revision of the manager's store that this view shows.
    public var revision: UInt64 { contents.revision }
    public var settings: ClusterSettings? { contents.settings }
    /// N, W, R and D in force; majorities of three while the cluster has no settings.
    public var consistency: ConsistencyLevel { contents.consistency }
    public var members: [NodeName: MemberRecord] { contents.members }
    /// nil until the cluster was started.
    public var ring: RingTable? { contents.ring }
    /// Epoch of the ring, 0 without one.
    public var epoch: UInt64 { contents.ring?.epoch ?? 0 }
    public var buckets: [String: BucketRecord] { contents.buckets }
    public var users: [String: UserRecord] { contents.users }
    /// Named keys of SSE-KMS.
    public var encryptionKeys: [String: EncryptionKeyRecord] { contents.encryptionKeys }
    /// Host names of the S3 endpoint, added by the administrator.
    public var endpoints: Set<String> { contents.endpoints }
    /// Names of the enrolled storage nodes, sorted, whatever their state.
    public var storageNodes: [NodeName] { contents.storageNodes }
    /// Storage nodes that the manager holds to be down, or that are suspended: better asked last.
    public var absentNodes: Set<NodeName> { contents.absentNodes }
    /// Names of the enrolled managers, sorted.
    public var managers: [NodeName] { contents.managers }

    /// Projects of Keystone by id: accounts of Swift.
    public var projects: [String: ProjectRecord] { contents.projects }
    /// Tokens that were revoked before their end, by audit id in hex.
    public var revokedTokens: [String: RevokedToken] { contents.revokedTokens }

    /// Where events of buckets are sent, by name.
    public var webhooks: [String: WebhookRecord] { contents.webhooks }

    public func project(name: String) -> ProjectRecord? {
        contents.projectIDs[name].flatMap { contents.projects[$0] }
    }

    /// The bucket that is this container of a project's account: see ``BucketRecord/qualifiedName(_:project:)``.
    public func container(_ name: String, project: String) -> BucketRecord? {
        if let bucket = contents.buckets[BucketRecord.qualifiedName(name, project: project)] { return bucket }
        // Strings that differ in bytes may be equal, but not to one of S3's names.
        guard name.utf8.allSatisfy({ $0 < 0x80 }) else { return nil }
        return contents.buckets[name].flatMap { $0.project == project ? $0 : nil }
    }

    /// Of a project's account, unsorted.
    public func containers(project: String) -> [BucketRecord] {
        contents.buckets.values.filter { $0.project == project }
    }

    public func user(id: String) -> UserRecord? { contents.users[id] }

    public func user(accessKey: String) -> UserRecord? {
        contents.userIDs[accessKey].flatMap { contents.users[$0] }
    }

    /// Sorted by name.
    public func buckets(owner: String) -> [BucketRecord] {
        contents.buckets.values.filter { $0.owner == owner }.sorted { $0.name < $1.name }
    }

    public func member(publicKey: [UInt8]) -> MemberRecord? {
        contents.memberNames[publicKey].flatMap { contents.members[$0] }
    }

    /// The view after these changes. An entry that cannot be decoded leaves what was known before.
    public func applying(_ changes: [StateEntry], revision: UInt64) -> ClusterView {
        let next = Contents(copying: contents)
        next.revision = revision
        for change in changes { next.apply(change) }
        next.index()
        return ClusterView(contents: next)
    }
}

/// What a view refers to. Mutable only before it is published.
private final class Contents: @unchecked Sendable {
    var revision: UInt64 = 0
    var settings: ClusterSettings?
    var consistency = ConsistencyLevel.majority(of: 3)
    var members: [NodeName: MemberRecord] = [:]
    var ringRecord: RingRecord?
    var ring: RingTable?
    var buckets: [String: BucketRecord] = [:]
    var users: [String: UserRecord] = [:]
    var encryptionKeys: [String: EncryptionKeyRecord] = [:]
    var endpoints: Set<String> = []
    var projects: [String: ProjectRecord] = [:]
    var revokedTokens: [String: RevokedToken] = [:]
    var webhooks: [String: WebhookRecord] = [:]

    // Derived by `index()`.
    var userIDs: [String: String] = [:]
    var projectIDs: [String: String] = [:]
    var memberNames: [[UInt8]: NodeName] = [:]
    var storageNodes: [NodeName] = []
    var managers: [NodeName] = []
    var absentNodes: Set<NodeName> = []
    var usersChanged = false
    var membersChanged = false
    var ringChanged = false
    var projectsChanged = false

    init() {}

    init(copying other: Contents) {
        settings = other.settings
        consistency = other.consistency
        members = other.members
        ringRecord = other.ringRecord
        ring = other.ring
        buckets = other.buckets
        users = other.users
        encryptionKeys = other.encryptionKeys
        endpoints = other.endpoints
        projects = other.projects
        projectIDs = other.projectIDs
        revokedTokens = other.revokedTokens
        webhooks = other.webhooks
        userIDs = other.userIDs
        memberNames = other.memberNames
        storageNodes = other.storageNodes
        managers = other.managers
        absentNodes = other.absentNodes
    }

    func apply(_ change: StateEntry) {
        let value = change.deleted ? nil : change.value
        switch change.key {
        case ClusterKeys.settings:
            update(&settings, value)
            ringChanged = true
        case ClusterKeys.ring:
            update(&ringRecord, value)
            ringChanged = true
        case let key where key.hasPrefix(ClusterKeys.memberPrefix):
            update(&members[NodeName(String(key.dropFirst(ClusterKeys.memberPrefix.count)))], value)
            membersChanged = true
        case let key where key.hasPrefix(ClusterKeys.userPrefix):
            update(&users[String(key.dropFirst(ClusterKeys.userPrefix.count))], value)
            usersChanged = true
        case let key where key.hasPrefix(ClusterKeys.bucketPrefix):
            update(&buckets[String(key.dropFirst(ClusterKeys.bucketPrefix.count))], value)
        case let key where key.hasPrefix(ClusterKeys.encryptionKeyPrefix):
            update(&encryptionKeys[String(key.dropFirst(ClusterKeys.encryptionKeyPrefix.count))], value)
        case let key where key.hasPrefix(ClusterKeys.endpointPrefix):
            let host = String(key.dropFirst(ClusterKeys.endpointPrefix.count))
            if value == nil { endpoints.remove(host) } else { endpoints.insert(host) }
        case let key where key.hasPrefix(ClusterKeys.projectPrefix):
            update(&projects[String(key.dropFirst(ClusterKeys.projectPrefix.count))], value)
            projectsChanged = true
        case let key where key.hasPrefix(ClusterKeys.revokedTokenPrefix):
            update(&revokedTokens[String(key.dropFirst(ClusterKeys.revokedTokenPrefix.count))], value)
        case let key where key.hasPrefix(ClusterKeys.webhookPrefix):
            update(&webhooks[String(key.dropFirst(ClusterKeys.webhookPrefix.count))], value)
        default: break
        }
    }

    private func update<Message: WireMessage>(_ slot: inout Message?, _ value: [UInt8]?) {
        guard let value else { return slot = nil }
        if let message = try? Message(decoding: value) { slot = message }
    }

    func index() {
        if usersChanged {
            userIDs = Dictionary(users.values.map { ($0.accessKeyId, $0.id) }) { first, _ in first }
        }
        if projectsChanged {
            projectIDs = Dictionary(projects.values.map { ($0.name, $0.id) }) { first, _ in first }
        }
        if membersChanged {
            memberNames = Dictionary(members.map { ($1.publicKey, $0) }) { first, _ in first }
            storageNodes = members.filter { $0.value.role == .storage }.keys.sorted()
            managers = members.filter { $0.value.role == .manager }.keys.sorted()
            absentNodes = Set(storageNodes.filter { [.stopped, .suspended].contains(members[$0]?.state) })
        }
        if ringChanged { indexRing() }
    }

    private func indexRing() {
        guard let settings else { return }
        if let level = ConsistencyLevel(settings) { consistency = level }
        guard let ringRecord else { return ring = nil }
        // A ring that makes no sense is not installed: the one in force stays.
        if let table = try? RingTable(ringRecord, hashKey: settings.hashKey) { ring = table }
    }
}
