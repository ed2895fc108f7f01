import Checksums
import Model
import S3Protocol

/// The credentials of a form that a browser posts: its policy is signed, not the request.
public struct FormSignature: Sendable {
    private enum Scheme: Sendable {
        case v4(CredentialScope)
        case v2
    }

    public let accessKeyID: String
    private let scheme: Scheme
    private let signature: [UInt8]

    /// Stands in for the secret of an unknown key, so that both kinds of failure do the same work.
    private static let decoySecret = [UInt8](repeating: UInt8(ascii: "x"), count: 40)

    /// - Parameter field: the value of a field by its name in lower case.
    ///
    /// Throws `InvalidArgument` when a field is missing or malformed.
    public init(field: (String) -> String?) throws(S3Error) {
        guard field("x-amz-signature") != nil || field("x-amz-credential") != nil else {
            guard let key = field("awsaccesskeyid") else { throw Self.missing("AWSAccessKeyId") }
            guard let text = field("signature") else { throw Self.missing("Signature") }
            (accessKeyID, scheme, signature) = (key, .v2, Base64.decode(text) ?? [])
            return
        }
        guard field("x-amz-algorithm") == "AWS4-HMAC-SHA256" else { throw Self.missing("X-Amz-Algorithm") }
        guard let text = field("x-amz-credential") else { throw Self.missing("X-Amz-Credential") }
        guard let date = field("x-amz-date"), let time = SigningTime(date) else { throw Self.missing("X-Amz-Date") }
        guard let hex = field("x-amz-signature") else { throw Self.missing("X-Amz-Signature") }
        let credential: Credential
        do { credential = try Credential(Array(text.utf8)[...]) } catch {
            throw S3Error.invalidArgument(error.message, name: "X-Amz-Credential", value: text)
        }
        guard credential.scope.day == time.day else {
            throw S3Error.invalidArgument(
                "The date of the credential is not that of the form.", name: "X-Amz-Credential", value: text)
        }
        (accessKeyID, scheme, signature) = (credential.accessKeyID, .v4(credential.scope), bytes(ofHex: hex) ?? [])
    }

    private static func missing(_ name: String) -> S3Error {
        S3Error.invalidArgument(
            "Bucket POST must contain a field named '\(name)'.  If it is specified, please check the order of the "
                + "fields.", name: name, value: "")
    }

    /// Whether the signature is the right one for this policy.
    ///
    /// - Parameters:
    ///   - policy: as the form has it: base64.
    ///   - secret: of the access key; nil: there is no such key.
    public func verify(policy: String, secret: [UInt8]?, allowsV2: Bool) throws(S3Error) {
        let expected: [UInt8]
        switch scheme {
        case .v4(let scope):
            expected = hmac(.sha256, key: scope.signingKey(secret: secret ?? Self.decoySecret), policy)
        case .v2:
            guard allowsV2 else {
                throw S3Error(
                    .invalidRequest,
                    "The authorization mechanism you have provided is not supported. Please use AWS4-HMAC-SHA256.")
            }
            expected = hmac(.sha1, key: secret ?? Self.decoySecret, policy)
        }
        let matches = constantTimeEqual(expected, signature)
        guard secret != nil else { throw S3Error(.invalidAccessKeyId) }
        guard matches else { throw S3Error(.signatureDoesNotMatch) }
    }
}
