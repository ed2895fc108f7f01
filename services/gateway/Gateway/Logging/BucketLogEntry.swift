import NIOHTTP1
import S3Protocol
import Wire

/// One line of a bucket's access log, in AWS's format.
struct BucketLogEntry: Sendable {
    var owner: String
    var bucket: String
    /// Milliseconds since 1970.
    var time: Int64
    var remote: String
    var requester: String?
    var id: String
    var operation: String
    var key: String?
    /// Method, path and query: without what proves who asks.
    var request: String
    var status: Int
    var errorCode: String?
    var sent: UInt64?
    var objectSize: UInt64?
    var milliseconds: Int
    var referrer: String?
    var userAgent: String?
    var version: String?
    var host: String?
    var signature: String?
    var authentication: String?

    /// With its line end.
    var line: String {
        func number(_ value: UInt64?) -> String { value.map { String($0) } ?? "-" }
        func word(_ text: String?) -> String { text.map { $0.isEmpty ? "-" : Self.plain($0) } ?? "-" }
        func quoted(_ text: String?) -> String { text.map { "\"\(Self.plain($0, keepsSpaces: true))\"" } ?? "\"-\"" }
        let fields = [
            word(owner), word(bucket), Self.date(time), word(remote), word(requester), word(id), operation,
            word(key.map { PercentEncoding.encode($0) }), quoted(request), String(status), word(errorCode),
            number(sent),
            number(objectSize), String(milliseconds), String(milliseconds), quoted(referrer), quoted(userAgent),
            word(version), "-", word(signature), "-", word(authentication), word(host), "-", "-", "-",
        ]
        return fields.joined(separator: " ") + "\n"
    }

    /// `[06/Feb/2019:00:00:38 +0000]`
    static func date(_ milliseconds: Int64) -> String {
        let text = HTTPDate.iso8601(milliseconds: milliseconds)
        let (date, clock) = (text.prefix(10).split(separator: "-"), text.dropFirst(11).prefix(8))
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        return "[\(date[2])/\(months[(Int(date[1]) ?? 1) - 1])/\(date[0]):\(clock) +0000]"
    }

    /// Nothing that a client sends ends a field or a line.
    private static func plain(_ text: String, keepsSpaces: Bool = false) -> String {
        var plain = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case " " where keepsSpaces: plain.unicodeScalars.append(scalar)
            case "\"", "\\", " ": plain += "%" + String(scalar.value, radix: 16, uppercase: true)
            case _ where scalar.value < 0x20 || scalar.value == 0x7f: plain += "?"
            default: plain.unicodeScalars.append(scalar)
            }
        }
        return plain
    }
}

extension BucketLogEntry {
    /// - Parameter errorCode: nil: the request was carried out.
    init(
        _ request: S3Request, _ response: S3Response, _ bucket: BucketRecord, errorCode: String?, time: Int64,
        milliseconds: Int
    ) {
        let headers = request.headers
        let (isGet, isHead) = (request.method == .GET, request.method == .HEAD)
        let length = response.length
        let size = request.method == .PUT ? request.body.declaredLength : isGet || isHead ? response.objectSize : nil
        self.init(
            owner: bucket.owner, bucket: bucket.name, time: time, remote: request.remote,
            requester: request.identity.userID, id: request.id, operation: request.operation.logName(request.method),
            key: request.key, request: Self.line(of: request), status: Int(response.status.code), errorCode: errorCode,
            sent: isHead || length == 0 ? nil : length,
            objectSize: request.key == nil || errorCode != nil ? nil : size, milliseconds: milliseconds,
            referrer: headers.first(name: "referer"), userAgent: headers.first(name: "user-agent"),
            version: request.query["versionId"], host: headers.first(name: "host"),
            signature: Self.signature(request), authentication: Self.authentication(request))
    }

    private static let secrets: Set = [
        "x-amz-signature", "signature", "x-amz-security-token", "x-amz-credential", "awsaccesskeyid", "temp_url_sig",
    ]

    private static func line(of request: S3Request) -> String {
        line(
            request.method.rawValue, PercentEncoding.encode(request.resource),
            request.query.items.map { ($0.name, $0.value) })
    }

    private static func line(_ method: String, _ path: String, _ query: [(name: String, value: String?)]) -> String {
        let query = query.map { name, value in
            let shown = PercentEncoding.encode(name)
            guard let value else { return shown }
            return shown + "=" + (secrets.contains(name.lowercased()) ? "-" : PercentEncoding.encode(value))
        }.joined(separator: "&")
        return "\(method) \(path)\(query.isEmpty ? "" : "?" + query) HTTP/1.1"
    }

    private static func authentication(_ request: S3Request) -> String? {
        if request.form != nil { return request.identity == .anonymous ? nil : "QueryString" }
        if request.headers.contains(name: "authorization") { return "AuthHeader" }
        return request.query["X-Amz-Signature"] != nil || request.query["Signature"] != nil ? "QueryString" : nil
    }

    private static func signature(_ request: S3Request) -> String? {
        guard request.identity != .anonymous else { return nil }
        let isOld =
            request.headers.first(name: "authorization")?.hasPrefix("AWS ") == true || request.query["Signature"] != nil
        return isOld ? "SigV2" : "SigV4"
    }
}

extension BucketLogEntry {
    /// Of the Swift front, whose errors have no codes.
    init(
        _ request: SwiftRequest, _ response: S3Response, _ place: SwiftTrace.Place, user: String?, time: Int64,
        milliseconds: Int
    ) {
        let headers = request.headers
        let length = response.length
        let isRead = ["GET", "HEAD"].contains(request.method)
        let size = request.method == "PUT" ? request.body.declaredLength : isRead ? response.objectSize : nil
        let isSigned = TemporaryAddress.isSigned(request)
        let hasToken = headers.contains(name: "x-auth-token") || headers.contains(name: "x-storage-token")
        self.init(
            owner: place.container.owner, bucket: place.container.name, time: time, remote: request.remote,
            requester: user, id: request.transaction,
            operation: "SWIFT.\(request.method).\(place.object == nil ? "CONTAINER" : "OBJECT")",
            key: place.object.map { String(decoding: $0, as: UTF8.self) },
            request: Self.line(
                request.method, request.rawPath, request.query.sorted { $0.key < $1.key }.map { ($0.key, $0.value) }),
            status: Int(response.status.code), errorCode: nil,
            sent: request.method == "HEAD" || length == 0 ? nil : length,
            objectSize: place.object == nil || response.status.code >= 400 ? nil : size, milliseconds: milliseconds,
            referrer: headers.first(name: "referer"), userAgent: headers.first(name: "user-agent"),
            version: request.query["version-id"], host: headers.first(name: "host"), signature: nil,
            authentication: isSigned ? "QueryString" : hasToken ? "AuthHeader" : nil)
    }
}

extension S3Response {
    /// Of the body, as far as it is known before it is sent; of an answer without one, what its headers say.
    fileprivate var length: UInt64? {
        switch body {
        case .empty: headers.first(name: "content-length").flatMap { UInt64($0) }
        case .bytes(let bytes): UInt64(bytes.readableBytes)
        case .stream(let length, _): length
        case .open: nil
        }
    }

    /// Of the whole object, though only a part of it is sent.
    fileprivate var objectSize: UInt64? {
        headers.first(name: "content-range")?.split(separator: "/").last.flatMap { UInt64($0) } ?? length
    }
}

extension S3Operation {
    /// `REST.GET.OBJECT` and the like.
    func logName(_ method: HTTPMethod) -> String {
        switch self {
        case .copyObject: "REST.COPY.OBJECT"
        case .uploadPartCopy: "REST.COPY.PART"
        case .webPage: "WEBSITE.\(method.rawValue).OBJECT"
        case .preflight: "REST.OPTIONS.PREFLIGHT"
        default: "REST.\(method.rawValue).\(logResource)"
        }
    }

    private var logResource: String {
        switch self {
        case .getObject, .headObject, .putObject, .deleteObject, .postObject: "OBJECT"
        case .deleteObjects: "MULTI_OBJECT_DELETE"
        case .uploadPart: "PART"
        case .createMultipartUpload, .listMultipartUploads: "UPLOADS"
        case .completeMultipartUpload, .abortMultipartUpload, .listParts: "UPLOAD"
        case .getObjectAcl, .putObjectAcl, .getBucketAcl, .putBucketAcl: "ACL"
        case .getObjectTagging, .putObjectTagging, .deleteObjectTagging: "OBJECT_TAGGING"
        case .getBucketTagging, .putBucketTagging, .deleteBucketTagging: "TAGGING"
        case .getBucketLocation: "LOCATION"
        case .getBucketVersioning, .putBucketVersioning: "VERSIONING"
        case .listObjectVersions: "BUCKETVERSIONS"
        case .getBucketPolicy, .putBucketPolicy, .deleteBucketPolicy: "BUCKETPOLICY"
        case .getBucketLifecycleConfiguration, .putBucketLifecycleConfiguration, .deleteBucketLifecycle: "LIFECYCLE"
        case .getBucketCors, .putBucketCors, .deleteBucketCors: "CORS"
        case .getBucketWebsite, .putBucketWebsite, .deleteBucketWebsite: "WEBSITE"
        case .getBucketLogging, .putBucketLogging: "LOGGING_STATUS"
        case .getBucketNotificationConfiguration, .putBucketNotificationConfiguration: "NOTIFICATION"
        case .getBucketRequestPayment, .putBucketRequestPayment: "REQUEST_PAYMENT"
        case .getBucketEncryption, .putBucketEncryption, .deleteBucketEncryption: "ENCRYPTION"
        case .getObjectRetention, .putObjectRetention: "OBJECT_LOCK_RETENTION"
        case .getObjectLegalHold, .putObjectLegalHold: "OBJECT_LOCK_LEGALHOLD"
        case .getObjectLockConfiguration, .putObjectLockConfiguration: "OBJECT_LOCK_CONFIGURATION"
        default: "BUCKET"
        }
    }
}
