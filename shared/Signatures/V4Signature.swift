import Checksums
import Model
import S3Protocol

/// A version 4 signature as a request carries it, its form and times checked, the signature itself not yet.
struct V4Signature {
    static let algorithm = "AWS4-HMAC-SHA256"

    var credential: Credential
    var signedHeaders: [String]
    var signature: [UInt8]
    var time: SigningTime
    /// What stands for the body in the canonical request.
    var payload: String

    /// From the `Authorization` header.
    init(header request: SignableRequest, now: Int64) throws(S3Error) {
        let value = Array(request.first("authorization")!.utf8)
        let fields = try AuthorizationFields(value.dropFirst(Self.algorithm.utf8.count))
        guard let credentialText = fields["Credential"], let headers = fields["SignedHeaders"],
            let signature = fields["Signature"].flatMap({ bytes(ofHex: $0) }), signature.count == 32
        else { throw Self.malformed("it needs Credential, SignedHeaders and Signature.") }
        do { credential = try Credential(credentialText) } catch { throw Self.malformed(error.message) }
        self.signature = signature
        signedHeaders = try Self.list(headers) { message in Self.malformed(message) }
        guard let payload = request.first("x-amz-content-sha256") else {
            throw S3Error(
                .missingSecurityHeader, "Missing required header for this request: x-amz-content-sha256",
                fields: [.init("MissingHeaderName", "x-amz-content-sha256")])
        }
        self.payload = payload
        time = try Self.time(of: request)
        guard time.day == credential.scope.day else {
            throw Self.malformed("the date of the scope is not that of the request.")
        }
        try checkSkew(of: time.seconds, now: now)
        try Self.checkCoverage(signedHeaders, of: request)
    }

    /// From the query of a presigned URL.
    init(query: QueryParameters, _ request: SignableRequest, now: Int64) throws(S3Error) {
        guard let algorithm = try query.unique("X-Amz-Algorithm"),
            let credentialText = try query.unique("X-Amz-Credential"),
            let date = try query.unique("X-Amz-Date"), let expires = try query.unique("X-Amz-Expires"),
            let headers = try query.unique("X-Amz-SignedHeaders"), let hex = try query.unique("X-Amz-Signature")
        else {
            throw Self.badQuery(
                "Query-string authentication version 4 requires the X-Amz-Algorithm, X-Amz-Credential, "
                    + "X-Amz-Signature, X-Amz-Date, X-Amz-SignedHeaders, and X-Amz-Expires parameters.")
        }
        guard algorithm == Self.algorithm else {
            throw Self.badQuery("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
        }
        do { credential = try Credential(Array(credentialText.utf8)[...]) } catch {
            throw Self.badQuery("Error parsing the X-Amz-Credential parameter; " + error.message)
        }
        guard let time = SigningTime(date), time.day == credential.scope.day else {
            throw Self.badQuery(
                "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\", of the scope's day")
        }
        guard let signature = bytes(ofHex: hex), signature.count == 32 else { throw S3Error(.signatureDoesNotMatch) }
        self.time = time
        self.signature = signature
        signedHeaders = try Self.list(Array(headers.utf8)[...]) { message in Self.badQuery(message) }
        let inQuery = try query.unique("X-Amz-Content-Sha256")
        payload = request.first("x-amz-content-sha256") ?? inQuery ?? PayloadMode.unsignedName
        try Self.checkValidity(time, expires: expires, now: now)
        try Self.checkCoverage(signedHeaders, of: request)
    }

    func stringToSign(_ request: SignableRequest, _ query: QueryParameters) throws(S3Error) -> String {
        let canonical = try CanonicalRequest(request, query: query, signedHeaders: signedHeaders, payload: payload)
        return Self.stringToSign(time: time, scope: credential.scope, canonical: canonical)
    }

    static func stringToSign(time: SigningTime, scope: CredentialScope, canonical: CanonicalRequest) -> String {
        "\(algorithm)\n\(time.text)\n\(scope.text)\n\(canonical.digest)"
    }

    // MARK: - Parts

    private static func list(_ text: ArraySlice<UInt8>, _ failure: (String) -> S3Error) throws(S3Error) -> [String] {
        let upperCase = UInt8(ascii: "A")...UInt8(ascii: "Z")
        let names = text.split(separator: UInt8(ascii: ";"), omittingEmptySubsequences: false)
            .map { String(decoding: $0, as: UTF8.self) }
        guard Set(names).count == names.count, !names.contains(""), !text.contains(where: upperCase.contains) else {
            throw failure("the signed headers must be distinct lower-case names.")
        }
        return names
    }

    private static func time(of request: SignableRequest) throws(S3Error) -> SigningTime {
        if let text = request.first("x-amz-date") {
            if let time = SigningTime(text) ?? HTTPDate.parse(text).map(SigningTime.init(seconds:)) { return time }
        } else if let text = request.first("date"),
            let time = SigningTime(text) ?? HTTPDate.parse(text).map(SigningTime.init(seconds:))
        {
            return time
        }
        throw S3Error(.accessDenied, "AWS authentication requires a valid Date or x-amz-date header")
    }

    private static func checkValidity(_ time: SigningTime, expires: String, now: Int64) throws(S3Error) {
        guard let validity = Int64(expires) else { throw badQuery("X-Amz-Expires should be a number") }
        guard validity >= 0 else { throw badQuery("X-Amz-Expires must be non-negative") }
        guard validity <= SignatureVerifier.presignedValidityMax else {
            throw badQuery(
                "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be "
                    + "less than 604800 seconds")
        }
        guard time.seconds - now <= SignatureVerifier.clockSkewMax else {
            throw S3Error(.accessDenied, "Request is not valid yet")
        }
        guard now <= time.seconds + validity else { throw S3Error(.accessDenied, "Request has expired") }
    }

    /// A header of AWS's that is not signed could be put in by anybody on the way.
    private static func checkCoverage(_ signed: [String], of request: SignableRequest) throws(S3Error) {
        let hasHost = signed.contains("host")
        let unsigned = request.headers.lazy.map(\.name).filter { $0.hasPrefix("x-amz-") && !signed.contains($0) }
        guard hasHost, request.first("host") != nil, unsigned.isEmpty else {
            throw S3Error(
                .accessDenied, "There were headers present in the request which were not signed",
                fields: [.init("HeadersNotSigned", hasHost ? unsigned.joined(separator: ", ") : "host")])
        }
        guard signed.allSatisfy({ request.first($0) != nil }) else { throw S3Error(.signatureDoesNotMatch) }
    }

    fileprivate static func malformed(_ message: String) -> S3Error {
        S3Error(.authorizationHeaderMalformed, "The authorization header is malformed; " + message)
    }

    private static func badQuery(_ message: String) -> S3Error { S3Error(.authorizationQueryParametersError, message) }
}

/// The parts of an `Authorization` header, in its bytes: `Credential=…, SignedHeaders=…, Signature=…`.
private struct AuthorizationFields {
    /// There are three that mean something.
    private static let countMax = 16

    private var fields: [(name: ArraySlice<UInt8>, value: ArraySlice<UInt8>)] = []

    /// - Parameter text: behind the name of the algorithm.
    init(_ text: ArraySlice<UInt8>) throws(S3Error) {
        for part in text.split(separator: UInt8(ascii: ",")) {
            guard let equals = part.firstIndex(of: UInt8(ascii: "=")) else { throw Self.malformed }
            let name = part[..<equals].trimmed
            guard fields.count < Self.countMax, !fields.contains(where: { $0.name == name }) else {
                throw Self.malformed
            }
            fields.append((name, part[part.index(after: equals)...].trimmed))
        }
    }

    subscript(name: String) -> ArraySlice<UInt8>? {
        fields.first { $0.name.elementsEqual(name.utf8) }?.value
    }

    private static var malformed: S3Error { V4Signature.malformed("a part is repeated or has no value.") }
}
