import Checksums
import NIOHTTP1
import S3Protocol

/// A key that a client keeps and sends with every request about an object (SSE-C).
struct CustomerKey: Sendable, Equatable {
    let bytes: [UInt8]
    /// Base64, as the client gave it.
    let md5: String

    /// Which headers carry the key: of the object of the request, or of the source of a copy.
    enum Subject: String, Sendable {
        case object = "x-amz-server-side-encryption-customer-"
        case copySource = "x-amz-copy-source-server-side-encryption-customer-"
    }

    /// nil: the headers say nothing of a key.
    init?(_ headers: HTTPHeaders, of subject: Subject = .object) throws(S3Error) {
        let prefix = subject.rawValue
        let algorithm = headers.first(name: prefix + "algorithm")
        let key = headers.first(name: prefix + "key")
        let digest = headers.first(name: prefix + "key-md5")
        guard algorithm != nil || key != nil || digest != nil else { return nil }
        guard let algorithm else {
            throw Self.wrong("provide a valid encryption algorithm.", prefix + "algorithm", "null")
        }
        guard algorithm == "AES256" else {
            throw S3Error(
                .invalidEncryptionAlgorithm,
                fields: [.init("ArgumentName", prefix + "algorithm"), .init("ArgumentValue", algorithm)])
        }
        guard let key else { throw Self.wrong("provide an appropriate secret key.", prefix + "key", "null") }
        guard let digest else {
            throw Self.wrong("provide the client calculated MD5 of the secret key.", prefix + "key-MD5", "null")
        }
        guard let bytes = Base64.decode(key), bytes.count == 32 else {
            throw S3Error.invalidArgument(
                "The secret key was invalid for the specified algorithm.", name: prefix + "key", value: "")
        }
        guard Base64.decode(digest) == HashAlgorithm.md5.hash(bytes) else {
            throw S3Error.invalidArgument(
                "The calculated MD5 hash of the key did not match the hash that was provided.",
                name: prefix + "key-MD5",
                value: digest)
        }
        self.bytes = bytes
        md5 = digest
    }

    private static func wrong(_ what: String, _ name: String, _ value: String) -> S3Error {
        S3Error.invalidArgument(
            "Requests specifying Server Side Encryption with Customer provided keys must \(what)", name: name,
            value: value)
    }
}
