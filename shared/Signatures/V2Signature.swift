import Checksums
import S3Protocol

/// A version 2 signature as a request carries it, its form and times checked, the signature itself not yet.
struct V2Signature {
    /// The parameters that are part of what is signed; all others are not protected by this old scheme.
    static let signedParameters: Set<String> = [
        "accelerate", "acl", "analytics", "cors", "defaultObjectAcl", "delete", "encryption", "inventory", "lifecycle",
        "location", "logging", "metrics", "notification", "object-lock", "partNumber", "policy", "publicAccessBlock",
        "replication", "requestPayment", "response-cache-control", "response-content-disposition",
        "response-content-encoding", "response-content-language", "response-content-type", "response-expires",
        "restore",
        "select", "select-type", "storageClass", "tagging", "torrent", "uploadId", "uploads", "versionId", "versioning",
        "versions", "website",
    ]

    var accessKeyID: String
    var signature: [UInt8]
    var stringToSign: [UInt8]
    /// The resource of a bucket is `/bucket/`: many clients sign it so whether or not their path ends with the slash.
    var stringToSignWithSlash: [UInt8]?

    init(_ request: SignableRequest, _ query: QueryParameters, inQuery: Bool, now: Int64) throws(S3Error) {
        if inQuery {
            guard let key = try query.unique("AWSAccessKeyId"), let text = try query.unique("Signature"),
                let expires = try query.unique("Expires")
            else {
                throw S3Error(
                    .accessDenied,
                    "Query-string authentication requires the Signature, Expires and AWSAccessKeyId parameters")
            }
            guard let seconds = Int64(expires) else {
                throw S3Error(.accessDenied, "Invalid date (should be seconds since epoch): \(expires)")
            }
            guard now <= seconds else { throw S3Error(.accessDenied, "Request has expired") }
            (accessKeyID, signature) = (key, try Self.decoded(text))
            stringToSign = Self.stringToSign(request, query, date: expires)
            stringToSignWithSlash = Self.slashed(request, query, date: expires)
        } else {
            let credential = request.first("authorization")!.dropFirst("AWS ".count)
            guard let colon = credential.lastIndex(of: ":"), colon != credential.startIndex else {
                throw S3Error.invalidArgument(
                    "AWS authorization header is invalid.  Expected AwsAccessKeyId:signature", name: "Authorization",
                    value: "")
            }
            try checkSkew(of: try Self.time(of: request), now: now)
            accessKeyID = String(credential[..<colon]).trimmed
            signature = try Self.decoded(String(credential[credential.index(after: colon)...]).trimmed)
            let date = request.first("x-amz-date") == nil ? request.first("date") ?? "" : ""
            stringToSign = Self.stringToSign(request, query, date: date.trimmed)
            stringToSignWithSlash = Self.slashed(request, query, date: date.trimmed)
        }
    }

    private static func slashed(_ request: SignableRequest, _ query: QueryParameters, date: String) -> [UInt8]? {
        let path = request.rawPath
        guard request.bucketInHost == nil, path.utf8.count > 1, !path.dropFirst().utf8.contains(UInt8(ascii: "/"))
        else { return nil }
        return stringToSign(request, query, date: date, path: path + "/")
    }

    /// `date` is empty when `x-amz-date` is among the headers, and the expiry time of a presigned request.
    static func stringToSign(
        _ request: SignableRequest, _ query: QueryParameters, date: String, path: String? = nil
    ) -> [UInt8] {
        var bytes: [UInt8] = []
        for line in [
            request.method, (request.first("content-md5") ?? "").trimmed, (request.first("content-type") ?? "").trimmed,
            date,
        ] {
            bytes += line.utf8
            bytes.append(newline)
        }
        for name in Set(request.headers.map(\.name).filter { $0.hasPrefix("x-amz-") }).sorted() {
            bytes += "\(name):".utf8
            bytes += request.values(name).map(\.trimmed).joined(separator: ",").utf8
            bytes.append(newline)
        }
        if let bucket = request.bucketInHost { bytes += "/\(bucket)".utf8 }
        let path = path ?? request.rawPath
        bytes += (path.isEmpty ? "/" : path).utf8
        appendParameters(query, to: &bytes)
        return bytes
    }

    private static func appendParameters(_ query: QueryParameters, to bytes: inout [UInt8]) {
        let signed = query.items.filter { signedParameters.contains(String(decoding: $0.name, as: UTF8.self)) }
            .sorted { $0.name.lexicographicallyPrecedes($1.name) }
        for (index, item) in signed.enumerated() {
            bytes.append(UInt8(ascii: index == 0 ? "?" : "&"))
            bytes += item.name
            if let value = item.value {
                bytes.append(UInt8(ascii: "="))
                bytes += value
            }
        }
    }

    private static func time(of request: SignableRequest) throws(S3Error) -> Int64 {
        if let text = request.first("x-amz-date") ?? request.first("date"),
            let seconds = SigningTime(text)?.seconds ?? HTTPDate.parse(text)
        {
            return seconds
        }
        throw S3Error(.accessDenied, "AWS authentication requires a valid Date or x-amz-date header")
    }

    private static func decoded(_ text: String) throws(S3Error) -> [UInt8] {
        guard let bytes = Base64.decode(text), bytes.count == 20 else { throw S3Error(.signatureDoesNotMatch) }
        return bytes
    }
}
