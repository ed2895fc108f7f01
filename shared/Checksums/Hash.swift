import COpenSSL
import NIOCore

// Fetched once: looking an algorithm up by name costs more than hashing a small message (OpenSSL 3, EVP_MD_fetch).
nonisolated(unsafe) private let fetchedMD5: OpaquePointer = EVP_MD_fetch(nil, "MD5", nil)!
nonisolated(unsafe) private let fetchedSHA1: OpaquePointer = EVP_MD_fetch(nil, "SHA1", nil)!
nonisolated(unsafe) private let fetchedSHA256: OpaquePointer = EVP_MD_fetch(nil, "SHA256", nil)!
nonisolated(unsafe) private let fetchedSHA512: OpaquePointer = EVP_MD_fetch(nil, "SHA512", nil)!

public enum HashAlgorithm: Sendable {
    case md5, sha1, sha256, sha512

    fileprivate var implementation: OpaquePointer {
        switch self {
        case .md5: fetchedMD5
        case .sha1: fetchedSHA1
        case .sha256: fetchedSHA256
        case .sha512: fetchedSHA512
        }
    }

    /// Length of the digest in bytes.
    public var byteCount: Int {
        switch self {
        case .md5: 16
        case .sha1: 20
        case .sha256: 32
        case .sha512: 64
        }
    }

    /// Digest of bytes that are at hand.
    public func hash(_ bytes: some ContiguousBytesLike) -> [UInt8] {
        let hasher = Hasher(self)
        hasher.update(bytes)
        return hasher.finish()
    }
}

/// An incremental hash. Not for use by two threads at once.
public final class Hasher: @unchecked Sendable {
    private let context: OpaquePointer
    private let algorithm: HashAlgorithm

    public init(_ algorithm: HashAlgorithm) {
        self.algorithm = algorithm
        context = EVP_MD_CTX_new()!
        precondition(EVP_DigestInit_ex2(context, algorithm.implementation, nil) == 1, "EVP_DigestInit_ex2 failed")
    }

    deinit { EVP_MD_CTX_free(context) }

    public func update(_ bytes: some ContiguousBytesLike) {
        bytes.withContiguousBytes { buffer in
            precondition(EVP_DigestUpdate(context, buffer.baseAddress, buffer.count) == 1, "EVP_DigestUpdate failed")
        }
    }

    /// The digest; the hasher starts anew.
    public func finish() -> [UInt8] {
        let digest = [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
            var length: UInt32 = 0
            precondition(EVP_DigestFinal_ex(context, buffer.baseAddress, &length) == 1, "EVP_DigestFinal_ex failed")
            count = Int(length)
        }
        precondition(EVP_DigestInit_ex2(context, algorithm.implementation, nil) == 1, "EVP_DigestInit_ex2 failed")
        return digest
    }
}

/// HMAC (RFC 2104) over one of the hash algorithms.
public func hmac(_ algorithm: HashAlgorithm, key: some ContiguousBytesLike, _ message: some ContiguousBytesLike)
    -> [UInt8]
{
    [UInt8](unsafeUninitializedCapacity: 64) { buffer, count in
        var length: UInt32 = 0
        let made = key.withContiguousBytes { key in
            message.withContiguousBytes { message in
                HMAC(
                    algorithm.implementation, key.baseAddress ?? UnsafeRawPointer(bitPattern: 1), Int32(key.count),
                    message.baseAddress?.assumingMemoryBound(to: UInt8.self), message.count, buffer.baseAddress, &length
                )
            }
        }
        precondition(made != nil, "HMAC failed")
        count = Int(length)
    }
}

/// Comparison in constant time, for signatures and tokens. Unequal lengths are unequal.
public func constantTimeEqual(_ a: [UInt8], _ b: [UInt8]) -> Bool {
    a.count == b.count && CRYPTO_memcmp(a, b, a.count) == 0
}
