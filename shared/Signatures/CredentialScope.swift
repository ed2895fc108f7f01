import Checksums
import S3Protocol
import Synchronization

/// Where and when a v4 signing key is valid: `20130524/us-east-1/s3/aws4_request`.
public struct CredentialScope: Sendable, Hashable {
    public var day: String
    /// Any name: a client that believes in another region than ours is served all the same.
    public var region: String

    public init(day: String, region: String) {
        self.day = day
        self.region = region
    }

    public var text: String { "\(day)/\(region)/s3/aws4_request" }

    /// The key that signs within the scope.
    public func signingKey(secret: [UInt8]) -> [UInt8] {
        let dayKey = hmac(.sha256, key: Array("AWS4".utf8) + secret, day)
        let regionKey = hmac(.sha256, key: dayKey, region)
        return hmac(.sha256, key: hmac(.sha256, key: regionKey, "s3"), "aws4_request")
    }
}

/// The `Credential` of a v4 signature: access key and scope.
struct Credential {
    var accessKeyID: String
    var scope: CredentialScope

    /// Why a credential is not one, in AWS's words.
    struct Malformed: Error { var message: String }

    init(_ text: ArraySlice<UInt8>) throws(Malformed) {
        let parts = text.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard parts.count >= 5 else {
            throw Malformed(
                message: "the Credential is mal-formed; expecting \"<YOUR-AKID>/YYYYMMDD/REGION/SERVICE/aws4_request\"."
            )
        }
        let (dayPart, service, terminal) = (parts[parts.count - 4], parts[parts.count - 2], parts[parts.count - 1])
        guard service.elementsEqual("s3".utf8) else {
            throw Malformed(message: "incorrect service \"\(Self.string(service))\". It should be \"s3\".")
        }
        guard terminal.elementsEqual("aws4_request".utf8) else {
            throw Malformed(message: "incorrect terminal \"\(Self.string(terminal))\".")
        }
        guard dayPart.count == 8, dayPart.allSatisfy({ $0 >= 48 && $0 <= 57 }) else {
            throw Malformed(message: "incorrect date format \"\(Self.string(dayPart))\". It must be \"yyyyMMdd\".")
        }
        // A key may have slashes of its own.
        accessKeyID = Self.string(text[..<(dayPart.startIndex - 1)])
        scope = CredentialScope(day: Self.string(dayPart), region: Self.string(parts[parts.count - 3]))
        guard !accessKeyID.isEmpty else { throw Malformed(message: "the access key is empty.") }
    }

    private static func string(_ bytes: ArraySlice<UInt8>) -> String { String(decoding: bytes, as: UTF8.self) }
}

/// Remembers signing keys: deriving one costs four HMACs, and a client uses the same all day.
///
/// Only keys that have verified a signature are kept, so strangers cannot fill it.
final class SigningKeyCache: Sendable {
    struct Name: Hashable {
        var secret: [UInt8]
        var scope: CredentialScope
    }

    private let keys = Mutex<[Name: [UInt8]]>([:])
    private let capacity: Int

    init(capacity: Int) { self.capacity = capacity }

    subscript(name: Name) -> [UInt8]? { keys.withLock { $0[name] } }

    var count: Int { keys.withLock { $0.count } }

    func insert(_ key: [UInt8], for name: Name) {
        keys.withLock { keys in
            // Full means a day has passed or very many users: starting anew costs each of them one derivation.
            if keys.count >= capacity { keys.removeAll(keepingCapacity: true) }
            keys[name] = key
        }
    }
}
