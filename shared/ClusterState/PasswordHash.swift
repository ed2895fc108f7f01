import COpenSSL
import Checksums
import Model

/// A password as it is stored: scrypt (RFC 7914) with a random salt. The text says how it was made, so the cost may grow.
///
/// `scrypt$LOG2N$R$P$SALT$KEY`, salt and key in hex. Making and checking one takes some 50 ms and 16 MiB: never on an event
/// loop.
public struct PasswordHash: Sendable, Equatable, CustomStringConvertible {
    private static let saltSize = 16
    private static let keySize = 32
    /// What a stored text may ask for: 2^20 · 8 · 128 bytes are a gibibyte.
    private static let memoryMax: UInt64 = 256 << 20

    private var log2N: UInt64
    private var r: UInt64
    private var p: UInt64
    private var salt: [UInt8]
    private var key: [UInt8]

    /// The hash of a new password.
    public init(of password: String) {
        self.init(salt: randomBytes(Self.saltSize), key: [])
        key = derive(password)
    }

    /// Of a password that nobody has, made at once: checking one against it takes as long as against any other.
    public static func ofNobody() -> PasswordHash {
        PasswordHash(salt: randomBytes(saltSize), key: randomBytes(keySize))
    }

    private init(salt: [UInt8], key: [UInt8]) {
        (log2N, r, p, self.salt, self.key) = (14, 8, 1, salt, key)
    }

    /// From what ``description`` gave; nil for anything else, or parameters that cost too much.
    public init?(_ text: String) {
        let parts = text.split(separator: "$", omittingEmptySubsequences: false)
        guard parts.count == 6, parts[0] == "scrypt", let log2N = UInt64(parts[1]), let r = UInt64(parts[2]),
            let p = UInt64(parts[3]), (1...20).contains(log2N), (1...32).contains(r), (1...16).contains(p),
            128 * r << log2N <= Self.memoryMax, let salt = bytes(ofHex: parts[4]), let key = bytes(ofHex: parts[5]),
            (8...64).contains(salt.count), key.count == Self.keySize
        else { return nil }
        (self.log2N, self.r, self.p, self.salt, self.key) = (log2N, r, p, salt, key)
    }

    public var description: String { "scrypt$\(log2N)$\(r)$\(p)$\(hexDigits(of: salt))$\(hexDigits(of: key))" }

    /// Whether this is the password; takes the same time for every one.
    public func matches(_ password: String) -> Bool { constantTimeEqual(derive(password), key) }

    private func derive(_ password: String) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: Self.keySize) { buffer, count in
            let done = password.withContiguousBytes { bytes in
                EVP_PBE_scrypt(
                    bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count, salt, salt.count, 1 << log2N,
                    r,
                    p, Self.memoryMax + (1 << 20), buffer.baseAddress, Self.keySize)
            }
            precondition(done == 1, "EVP_PBE_scrypt failed")
            count = Self.keySize
        }
    }
}
