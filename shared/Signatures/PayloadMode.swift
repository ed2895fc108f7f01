import Checksums
import Model
import S3Protocol

/// How the body of a request is protected and framed: the header `x-amz-content-sha256`.
public enum PayloadMode: Sendable, Equatable {
    case unsigned
    /// The SHA-256 of the whole body.
    case signed([UInt8])
    /// Framed as aws-chunked.
    case streaming(signed: Bool, trailer: Bool)

    public static let unsignedName = "UNSIGNED-PAYLOAD"

    init(header value: String) throws(S3Error) {
        switch value {
        case Self.unsignedName: self = .unsigned
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD": self = .streaming(signed: true, trailer: false)
        case "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER": self = .streaming(signed: true, trailer: true)
        case "STREAMING-UNSIGNED-PAYLOAD-TRAILER": self = .streaming(signed: false, trailer: true)
        case "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD", "STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD-TRAILER":
            throw S3Error(.notImplemented)
        default:
            guard value.utf8.count == 64, let digest = bytes(ofHex: value) else {
                throw S3Error.invalidArgument(
                    "x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, "
                        + "STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid "
                        + "sha256 value.", name: "x-amz-content-sha256", value: value)
            }
            self = .signed(digest)
        }
    }

    public var isStreaming: Bool {
        if case .streaming = self { true } else { false }
    }
}

/// Signs the chunks of one streaming body, each over the one before.
public struct ChunkSigner: Sendable {
    private let key: [UInt8]
    private let time: String
    private let scope: String
    private var previous: String
    private static let emptyDigest = hexDigits(of: HashAlgorithm.sha256.hash([]))

    /// - Parameter seed: The signature of the request's head, hex digits.
    public init(key: [UInt8], time: SigningTime, scope: CredentialScope, seed: String) {
        self.key = key
        self.time = time.text
        self.scope = scope.text
        previous = seed
    }

    /// The signature of the next chunk, hex digits.
    public mutating func sign(chunk: some ContiguousBytesLike) -> String {
        let digest = hexDigits(of: HashAlgorithm.sha256.hash(chunk))
        return sign("AWS4-HMAC-SHA256-PAYLOAD\n\(time)\n\(scope)\n\(previous)\n\(Self.emptyDigest)\n\(digest)")
    }

    /// The signature of the trailer: lines of `name:value`, each ended by a newline.
    public mutating func sign(trailer: String) -> String {
        let digest = hexDigits(of: HashAlgorithm.sha256.hash(trailer))
        return sign("AWS4-HMAC-SHA256-TRAILER\n\(time)\n\(scope)\n\(previous)\n\(digest)")
    }

    private mutating func sign(_ text: String) -> String {
        previous = hexDigits(of: hmac(.sha256, key: key, text))
        return previous
    }
}
