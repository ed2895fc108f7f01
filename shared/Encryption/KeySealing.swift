import Checksums

/// Seals short secrets, such as the key of one object, with another key: a nonce of 12 random bytes, the ciphertext, a
/// tag of 16 bytes.
public struct SealingKey: Sendable {
    private let key: [UInt8]

    /// - Parameters:
    ///   - secret: 32 bytes.
    ///   - purpose: keys of different purposes made from one secret have nothing to do with each other.
    public init(derivedFrom secret: [UInt8], purpose: String) {
        key = hmac(.sha256, key: secret, Array(purpose.utf8))
    }

    /// - Parameter context: must be told again to open; it is not stored.
    public func seal(_ secret: [UInt8], context: [UInt8] = []) -> [UInt8] {
        let nonce = randomBytes(AuthenticatedCipher.nonceSize)
        var sealed = [UInt8](repeating: 0, count: secret.count + AuthenticatedCipher.tagSize)
        sealed.withUnsafeMutableBytes { target in
            secret.withUnsafeBytes { plain in
                AuthenticatedCipher(key: key).seal(
                    plain, nonce: nonce, additional: context, to: target.baseAddress!,
                    tag: target.baseAddress! + secret.count)
            }
        }
        return nonce + sealed
    }

    /// nil: sealed with another key or context, or changed.
    public func open(_ sealed: [UInt8], context: [UInt8] = []) -> [UInt8]? {
        let overhead = AuthenticatedCipher.nonceSize + AuthenticatedCipher.tagSize
        guard sealed.count >= overhead else { return nil }
        let nonce = Array(sealed[..<AuthenticatedCipher.nonceSize])
        let body = Array(sealed[AuthenticatedCipher.nonceSize...])
        var secret = [UInt8](repeating: 0, count: sealed.count - overhead)
        let isAuthentic = body.withUnsafeBytes { body in
            // An empty secret has no address of its own; nothing is written there.
            secret.withUnsafeMutableBytes { target in
                AuthenticatedCipher(key: key).open(
                    UnsafeRawBufferPointer(rebasing: body[..<(body.count - AuthenticatedCipher.tagSize)]),
                    nonce: nonce, additional: context, tag: body.baseAddress! + target.count,
                    to: target.baseAddress ?? UnsafeMutableRawPointer(bitPattern: 1)!)
            }
        }
        return isAuthentic ? secret : nil
    }
}
