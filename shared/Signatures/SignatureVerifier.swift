import Checksums
import Model
import S3Protocol

/// Who signed a request, and how its body is to be read.
public struct VerifiedRequest: Sendable {
    /// nil: the request carries no credentials.
    public var accessKeyID: String?
    public var payload: PayloadMode
    /// Present when the chunks of the body are signed.
    public var chunkSigner: ChunkSigner?
}

/// The one place where requests are authenticated, whatever their payload mode.
public final class SignatureVerifier: Sendable {
    /// How far a request's time may be from ours.
    public static let clockSkewMax: Int64 = 15 * 60
    /// Longest validity of a presigned v4 URL.
    public static let presignedValidityMax: Int64 = 7 * 24 * 3600

    /// Where a request carries its credentials.
    enum Source: Equatable {
        case none, headerV4, headerV2, queryV4, queryV2
    }

    private let allowsV2: Bool
    private let keys: SigningKeyCache
    /// Headers that decide how a request is read: with two of one, two readers could take different ones.
    private static let singleHeaders = [
        "host", "date", "x-amz-date", "x-amz-content-sha256", "x-amz-decoded-content-length", "content-length",
        "content-md5",
    ]
    /// Parameters that make a query one that carries credentials; lower case.
    private static let parametersV4: Set = ["x-amz-algorithm", "x-amz-credential", "x-amz-signature"]
    private static let parametersV2: Set = ["awsaccesskeyid", "signature"]
    private static let parametersOfTokens: Set = ["x-amz-security-token"]
    /// Stands in for the secret of an unknown key, so that both kinds of failure do the same work.
    private static let decoySecret = [UInt8](repeating: UInt8(ascii: "x"), count: 40)

    public init(allowsV2: Bool = true, cachedKeys: Int = 4096) {
        self.allowsV2 = allowsV2
        keys = SigningKeyCache(capacity: cachedKeys)
    }

    /// Number of signing keys remembered.
    var cachedKeyCount: Int { keys.count }

    /// Verifies the signature of a request's head.
    /// - Parameters:
    ///   - now: Seconds since 1970.
    ///   - secret: The secret of an access key, nil when there is no such key.
    public func verify(
        _ request: SignableRequest, now: Int64, secret: (String) -> [UInt8]?
    ) throws(S3Error) -> VerifiedRequest {
        for name in Self.singleHeaders where request.count(name) > 1 {
            throw S3Error(.invalidRequest, "The header \(name) is repeated.")
        }
        let query = try QueryParameters(rawQuery: request.rawQuery)
        let source = try Self.source(of: request, query)
        if request.first("x-amz-security-token") != nil || query.contains(anyOf: Self.parametersOfTokens) {
            throw S3Error(.invalidToken)
        }
        switch source {
        case .none:
            let payload = try Self.payload(of: request)
            guard payload.chunksAreUnsigned else { throw S3Error(.accessDenied) }
            return VerifiedRequest(accessKeyID: nil, payload: payload)
        case .headerV4:
            return try verify(try V4Signature(header: request, now: now), of: request, query, secret)
        case .queryV4:
            return try verify(try V4Signature(query: query, request, now: now), of: request, query, secret)
        case .headerV2, .queryV2:
            guard allowsV2 else {
                throw S3Error(
                    .invalidRequest,
                    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
            }
            let signature = try V2Signature(request, query, inQuery: source == .queryV2, now: now)
            return try verify(signature, of: request, secret)
        }
    }

    /// Exactly one source: with several, an attacker chooses which one is checked.
    static func source(of request: SignableRequest, _ query: QueryParameters) throws(S3Error) -> Source {
        let headers = request.values("authorization")
        let v4 = query.contains(anyOf: Self.parametersV4)
        let v2 = query.contains(anyOf: Self.parametersV2)
        guard headers.count + (v4 ? 1 : 0) + (v2 ? 1 : 0) <= 1 else {
            throw S3Error(
                .invalidArgument,
                "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter, Signature query string "
                    + "parameter or the Authorization header should be specified")
        }
        guard let header = headers.first else { return v4 ? .queryV4 : v2 ? .queryV2 : .none }
        if header.hasPrefix(V4Signature.algorithm + " ") { return .headerV4 }
        if header.hasPrefix("AWS ") { return .headerV2 }
        if header.hasPrefix("AWS4-") { throw S3Error(.unsupportedSignature) }
        throw S3Error.invalidArgument("Unsupported Authorization Type", name: "Authorization", value: "")
    }

    /// Of requests that need not say: unsigned when the header is absent.
    private static func payload(of request: SignableRequest) throws(S3Error) -> PayloadMode {
        try request.first("x-amz-content-sha256").map { value throws(S3Error) in try PayloadMode(header: value) }
            ?? .unsigned
    }

    private func verify(
        _ signature: V4Signature, of request: SignableRequest, _ query: QueryParameters, _ secret: (String) -> [UInt8]?
    ) throws(S3Error) -> VerifiedRequest {
        let payload = try PayloadMode(header: signature.payload)
        let text = try signature.stringToSign(request, query)
        let known = secret(signature.credential.accessKeyID)
        let name = SigningKeyCache.Name(secret: known ?? Self.decoySecret, scope: signature.credential.scope)
        let cached = keys[name]
        let key = cached ?? name.scope.signingKey(secret: name.secret)
        let matches = constantTimeEqual(hmac(.sha256, key: key, text), signature.signature)
        try Self.check(matches: matches, isKnown: known != nil)
        if cached == nil { keys.insert(key, for: name) }
        var signer: ChunkSigner?
        if case .streaming(signed: true, _) = payload {
            signer = ChunkSigner(
                key: key, time: signature.time, scope: name.scope, seed: hexDigits(of: signature.signature))
        }
        return VerifiedRequest(accessKeyID: signature.credential.accessKeyID, payload: payload, chunkSigner: signer)
    }

    private func verify(
        _ signature: V2Signature, of request: SignableRequest, _ secret: (String) -> [UInt8]?
    ) throws(S3Error) -> VerifiedRequest {
        let payload = try Self.payload(of: request)
        guard payload.chunksAreUnsigned else {
            throw S3Error(.invalidRequest, "Signed chunks need a signature of version 4.")
        }
        let known = secret(signature.accessKeyID)
        let matches = [signature.stringToSign, signature.stringToSignWithSlash].compactMap(\.self).map { text in
            constantTimeEqual(hmac(.sha1, key: known ?? Self.decoySecret, text), signature.signature)
        }
        try Self.check(matches: matches.contains(true), isKnown: known != nil)
        return VerifiedRequest(accessKeyID: signature.accessKeyID, payload: payload)
    }

    private static func check(matches: Bool, isKnown: Bool) throws(S3Error) {
        guard isKnown else { throw S3Error(.invalidAccessKeyId) }
        guard matches else { throw S3Error(.signatureDoesNotMatch) }
    }
}

extension PayloadMode {
    /// Whether the body can be read without a v4 signing key.
    fileprivate var chunksAreUnsigned: Bool {
        if case .streaming(signed: true, _) = self { false } else { true }
    }
}

/// The clock check of both versions.
func checkSkew(of time: Int64, now: Int64) throws(S3Error) {
    let distance = time.subtractingReportingOverflow(now)
    guard !distance.overflow, distance.partialValue.magnitude <= SignatureVerifier.clockSkewMax else {
        throw S3Error(.requestTimeTooSkewed)
    }
}
