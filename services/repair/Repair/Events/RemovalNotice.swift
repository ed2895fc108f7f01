import Model
import ObjectAccess
import S3Protocol
import Wire

/// A version that is about to be removed, and who is to be told. It is durable before the removal begins, so that no death of
/// the process loses the event. A value.
struct RemovalNotice: Codable, Sendable, Equatable {
    struct Target: Codable, Sendable, Equatable {
        var webhook: String
        /// The id of the rule that wants the event.
        var rule: String
    }

    /// The delete marker that is to come above the version.
    enum Marker: Codable, Sendable, Equatable {
        /// The version that it makes is told apart from all others by this.
        case numbered(UInt64)
        /// The null version, which it replaces.
        case null
    }

    var type: ObjectEventType
    var targets: [Target]
    var origin: EventOrigin
    var bucketID: [UInt8]
    var key: [UInt8]
    /// Which version.
    var place: UInt64
    var number: UInt64
    /// How clients name it; nil: the bucket never had versions.
    var version: String?
    /// nil: the version itself goes.
    var marker: Marker?

    /// How the removal has ended.
    struct Removed: Sendable, Equatable {
        /// Place of the decision in the chain of the key's register.
        var sequence: UInt64
        /// How clients name the delete marker; nil: the version itself is gone.
        var marker: String?
    }

    var name: VersionName { VersionName(place: place, number: number) }

    /// nil: the notice is damaged.
    var object: Model.RegisterName? { BucketID(bucketID).map { Model.RegisterName(bucket: $0, key: key) } }

    /// The same for everything that is noted of one version.
    var id: String {
        func hex(_ bytes: [UInt8]) -> String {
            bytes.map { $0 < 16 ? "0" + String($0, radix: 16) : String($0, radix: 16) }.joined()
        }
        return "\(type.rawValue) \(hex(bucketID)) \(place) \(number) \(hex(key))"
    }

    /// What the webhooks get.
    func events(_ removed: Removed) -> [WebhookEvent] {
        let event = ObjectEvent(type: type, key: key, version: removed.marker ?? version, sequence: removed.sequence)
        return targets.map { target in
            WebhookEvent(webhook: target.webhook, message: EventMessage(event, rule: target.rule, origin).bytes)
        }
    }
}

/// Who is to be told of what is removed from one bucket by itself. Pure.
struct RemovalAudience: Sendable {
    /// Who removes: what AWS writes, or here an administrator.
    enum Cause: Sendable {
        case lifecycle
        case administrator

        fileprivate var principal: String {
            switch self {
            case .lifecycle: "s3.amazonaws.com"
            case .administrator: "admin"
            }
        }

        fileprivate var address: String {
            switch self {
            case .lifecycle: "s3.amazonaws.com"
            case .administrator: "martlet-repair"
            }
        }
    }

    private let bucket: BucketRecord
    private let configuration: NotificationConfiguration
    private let cause: Cause

    /// nil: nobody is told of anything.
    init?(_ bucket: BucketRecord, _ cause: Cause) {
        guard let document = bucket.document("notification"),
            let configuration = try? NotificationConfiguration(parsing: document), !configuration.rules.isEmpty
        else { return nil }
        self.bucket = bucket
        self.configuration = configuration
        self.cause = cause
    }

    /// nil: nobody wants this event.
    /// - Parameter marker: what is to come above the version; nil: the version itself goes.
    func notice(
        of key: [UInt8], _ version: VersionName, marker: RemovalNotice.Marker? = nil, now: Int64
    ) -> RemovalNotice? {
        let type: ObjectEventType =
            switch (cause, marker) {
            case (.lifecycle, nil): .expiredDelete
            case (.lifecycle, _?): .expiredDeleteMarkerCreated
            case (.administrator, _): .removedDelete
            }
        let targets = configuration.rules.compactMap { rule in
            rule.concerns(type, key) ? rule.webhook.map { RemovalNotice.Target(webhook: $0, rule: rule.id) } : nil
        }
        guard !targets.isEmpty else { return nil }
        let origin = EventOrigin(
            bucket: bucket.name, owner: bucket.owner, region: bucket.location, principal: cause.principal,
            address: cause.address, requestID: OperationID.random().description, milliseconds: now)
        return RemovalNotice(
            type: type, targets: targets, origin: origin, bucketID: bucket.id, key: key, place: version.place,
            number: version.number, version: bucket.shown(version.id), marker: marker)
    }
}

extension BucketRecord {
    /// How answers name a version: nil in a bucket that never had versions.
    func shown(_ versionID: String) -> String? {
        guard versionID.isEmpty else { return versionID }
        return versioning == .unversioned ? nil : "null"
    }
}
