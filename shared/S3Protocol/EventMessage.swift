import Foundation

/// What happened to an object, for those who want to know.
public struct ObjectEvent: Sendable {
    public var type: ObjectEventType
    public var key: [UInt8]
    /// Of the version as it was written; not told of what is removed.
    public var size: UInt64
    /// As ``size``. Without quotes.
    public var etag: String
    /// How answers name the version; nil: the bucket never had versions.
    public var version: String?
    /// Place of the decision in the chain of the key's register.
    public var sequence: UInt64

    public init(
        type: ObjectEventType, key: [UInt8], size: UInt64 = 0, etag: String = "", version: String?, sequence: UInt64
    ) {
        self.type = type
        self.key = key
        self.size = size
        self.etag = etag
        self.version = version
        self.sequence = sequence
    }
}

/// Where something happened, when, and by whom.
public struct EventOrigin: Codable, Sendable, Equatable {
    public var bucket: String
    /// Id of the bucket's owner.
    public var owner: String
    /// The bucket's location; empty: `us-east-1`.
    public var region: String
    /// Id of the user, or the name of what acted by itself.
    public var principal: String
    /// Where the request came from.
    public var address: String
    public var requestID: String
    /// Since 1970.
    public var milliseconds: Int64

    public init(
        bucket: String, owner: String, region: String, principal: String, address: String, requestID: String,
        milliseconds: Int64
    ) {
        self.bucket = bucket
        self.owner = owner
        self.region = region
        self.principal = principal
        self.address = address
        self.requestID = requestID
        self.milliseconds = milliseconds
    }
}

/// The body that a webhook gets: S3's event message, version 2.2, with one record.
public struct EventMessage: Encodable {
    private struct Record: Encodable {
        var eventVersion = "2.2"
        var eventSource = "aws:s3"
        var awsRegion: String
        var eventTime: String
        var eventName: String
        var userIdentity: Principal
        var requestParameters: [String: String]
        var responseElements: [String: String]
        var s3: Subject
    }

    private struct Principal: Encodable {
        var principalId: String
    }

    private struct Subject: Encodable {
        var s3SchemaVersion = "1.0"
        var configurationId: String
        var bucket: Bucket
        var object: Object
    }

    private struct Bucket: Encodable {
        var name: String
        var ownerIdentity: Principal
        var arn: String
    }

    private struct Object: Encodable {
        var key: String
        var size: UInt64?
        var eTag: String?
        var versionId: String?
        var sequencer: String
    }

    private var records: [Record]

    private enum CodingKeys: String, CodingKey { case records = "Records" }

    /// - Parameter rule: the id of the rule that wants it.
    public init(_ event: ObjectEvent, rule: String, _ origin: EventOrigin) {
        let object = Object(
            key: Self.encoded(event.key), size: event.type.isRemoval ? nil : event.size,
            eTag: event.type.isRemoval ? nil : event.etag, versionId: event.version,
            sequencer: Self.sequencer(event.sequence))
        records = [
            Record(
                awsRegion: origin.region.isEmpty ? "us-east-1" : origin.region,
                eventTime: HTTPDate.iso8601(milliseconds: origin.milliseconds), eventName: event.type.rawValue,
                userIdentity: Principal(principalId: origin.principal),
                requestParameters: ["sourceIPAddress": origin.address],
                responseElements: ["x-amz-request-id": origin.requestID],
                s3: Subject(
                    configurationId: rule,
                    bucket: Bucket(
                        name: origin.bucket, ownerIdentity: Principal(principalId: origin.owner),
                        arn: "arn:aws:s3:::\(origin.bucket)"), object: object))
        ]
    }

    /// As AWS writes keys: percent-encoded, a space as a plus sign.
    static func encoded(_ key: [UInt8]) -> String {
        PercentEncoding.encode(String(decoding: key, as: UTF8.self)).replacing("%20", with: "+")
    }

    /// Of two events of one key the later one has the greater text.
    static func sequencer(_ sequence: UInt64) -> String {
        let digits = String(sequence, radix: 16, uppercase: true)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// JSON.
    public var bytes: [UInt8] { Self.bytes(self) }

    fileprivate static func bytes(_ message: some Encodable) -> [UInt8] {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        // Strings and numbers: nothing that could not be encoded.
        return (try? encoder.encode(message)).map(Array.init) ?? []
    }
}

/// What each target gets when a configuration is put that names it.
public struct TestEventMessage: Encodable {
    private var service = "Amazon S3"
    private var event = "s3:TestEvent"
    private var time: String
    private var bucket: String
    private var requestID: String
    private var hostID: String

    private enum CodingKeys: String, CodingKey {
        case service = "Service"
        case event = "Event"
        case time = "Time"
        case bucket = "Bucket"
        case requestID = "RequestId"
        case hostID = "HostId"
    }

    /// - Parameter host: the process that tells.
    public init(bucket: String, requestID: String, host: String, nowMilliseconds: Int64) {
        (self.bucket, self.requestID, hostID) = (bucket, requestID, host)
        time = HTTPDate.iso8601(milliseconds: nowMilliseconds)
    }

    /// JSON.
    public var bytes: [UInt8] { EventMessage.bytes(self) }
}
