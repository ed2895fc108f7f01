import Checksums
import Model
import S3Protocol

/// Signs requests: for the load tool and for tests.
public struct RequestSigner: Sendable {
    private let accessKeyID: String
    private let secret: [UInt8]
    private let region: String

    public init(accessKeyID: String, secret: String, region: String = "us-east-1") {
        self.accessKeyID = accessKeyID
        self.secret = Array(secret.utf8)
        self.region = region
    }

    /// What ``signV4(_:payload:at:)`` adds to a request.
    public struct V4Headers: Sendable {
        public var headers: [(name: String, value: String)]
        /// Signs the chunks of a streaming body.
        public var chunkSigner: ChunkSigner
    }

    /// Signs with version 4: host, content type and digest, and all `x-amz-*`.
    /// - Parameter payload: `UNSIGNED-PAYLOAD`, the name of a streaming mode, or the body's SHA-256 in hex digits.
    public func signV4(_ request: SignableRequest, payload: String, at time: SigningTime) throws(S3Error) -> V4Headers {
        var headers = [(name: "x-amz-date", value: time.text), (name: "x-amz-content-sha256", value: payload)]
        var signed = request
        signed.headers += headers.map { SignableRequest.Header($0.name, $0.value) }
        let names = Self.namesToSign(signed)
        let (scope, key) = scopeAndKey(at: time)
        let signature = try signature(
            signed, query: QueryParameters(rawQuery: request.rawQuery), names: names, payload: payload, time, scope, key
        )
        headers.append(
            (
                "Authorization",
                "\(V4Signature.algorithm) Credential=\(accessKeyID)/\(scope.text),"
                    + "SignedHeaders=\(names.joined(separator: ";")),Signature=\(signature)"
            ))
        return V4Headers(
            headers: headers, chunkSigner: ChunkSigner(key: key, time: time, scope: scope, seed: signature))
    }

    /// The query of a presigned request of version 4.
    public func presignV4(
        _ request: SignableRequest, validFor seconds: Int64, at time: SigningTime
    ) throws(S3Error) -> String {
        let names = Self.namesToSign(request)
        let (scope, key) = scopeAndKey(at: time)
        var rawQuery = request.rawQuery.isEmpty ? "" : request.rawQuery + "&"
        rawQuery += "X-Amz-Algorithm=\(V4Signature.algorithm)"
        rawQuery += "&X-Amz-Credential=\(Self.encoded("\(accessKeyID)/\(scope.text)"))&X-Amz-Date=\(time.text)"
        rawQuery += "&X-Amz-Expires=\(seconds)&X-Amz-SignedHeaders=\(Self.encoded(names.joined(separator: ";")))"
        let payload = request.first("x-amz-content-sha256") ?? PayloadMode.unsignedName
        let signature = try signature(
            request, query: QueryParameters(rawQuery: rawQuery), names: names, payload: payload, time, scope, key)
        return rawQuery + "&X-Amz-Signature=\(signature)"
    }

    /// The `Authorization` header of version 2. The request must have a `Date` or `x-amz-date` header.
    public func signV2(_ request: SignableRequest) throws(S3Error) -> String {
        let date = request.first("x-amz-date") == nil ? request.first("date") ?? "" : ""
        return "AWS \(accessKeyID):" + (try signatureV2(request, date: date))
    }

    /// The query of a presigned request of version 2.
    public func presignV2(_ request: SignableRequest, expiresAt seconds: Int64) throws(S3Error) -> String {
        let signature = try signatureV2(request, date: String(seconds))
        let prefix = request.rawQuery.isEmpty ? "" : request.rawQuery + "&"
        return prefix
            + "AWSAccessKeyId=\(Self.encoded(accessKeyID))&Expires=\(seconds)&Signature=\(Self.encoded(signature))"
    }

    private func signatureV2(_ request: SignableRequest, date: String) throws(S3Error) -> String {
        let query = try QueryParameters(rawQuery: request.rawQuery)
        return Base64.encode(hmac(.sha1, key: secret, V2Signature.stringToSign(request, query, date: date)))
    }

    private func signature(
        _ request: SignableRequest, query: QueryParameters, names: [String], payload: String, _ time: SigningTime,
        _ scope: CredentialScope, _ key: [UInt8]
    ) throws(S3Error) -> String {
        let canonical = try CanonicalRequest(request, query: query, signedHeaders: names, payload: payload)
        return hexDigits(
            of: hmac(.sha256, key: key, V4Signature.stringToSign(time: time, scope: scope, canonical: canonical)))
    }

    private func scopeAndKey(at time: SigningTime) -> (CredentialScope, [UInt8]) {
        let scope = CredentialScope(day: time.day, region: region)
        return (scope, scope.signingKey(secret: secret))
    }

    private static func namesToSign(_ request: SignableRequest) -> [String] {
        let always: Set = ["host", "content-type", "content-md5"]
        return Set(request.headers.map(\.name).filter { always.contains($0) || $0.hasPrefix("x-amz-") }).sorted()
    }

    private static func encoded(_ text: String) -> String {
        var bytes: [UInt8] = []
        appendPercentEncoded(text.utf8, keepsSlash: false, to: &bytes)
        return String(decoding: bytes, as: UTF8.self)
    }
}
