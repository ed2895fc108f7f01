import COpenSSL
import Checksums
import Model

/// The key that seals secrets before they are stored: AES-256-GCM.
///
/// A sealed value is one byte of version, a random nonce of 12 bytes, the ciphertext and a tag of 16 bytes.
public struct MasterKey: Sendable {
    public static let byteCount = 32
    private static let version: UInt8 = 1
    private static let nonceSize = 12
    private static let tagSize = 16

    /// The key itself: 32 bytes.
    public let bytes: [UInt8]

    public enum UnsealError: Error, Sendable, Equatable {
        case tooShort
        case unknownVersion(UInt8)
        /// Another key, or the bytes were changed.
        case notAuthentic
    }

    /// nil unless 32 bytes.
    public init?(bytes: [UInt8]) {
        guard bytes.count == Self.byteCount else { return nil }
        self.bytes = bytes
    }

    public static func random() -> MasterKey { MasterKey(bytes: randomBytes(byteCount))! }

    public func seal(_ secret: [UInt8]) -> [UInt8] {
        let nonce = randomBytes(Self.nonceSize)
        var tag = [UInt8](repeating: 0, count: Self.tagSize)
        let ciphertext = withCipher(nonce: nonce, encrypting: true) { context in
            let bytes = Self.process(secret, context, EVP_EncryptUpdate)
            var rest: Int32 = 0
            precondition(EVP_EncryptFinal_ex(context, nil, &rest) == 1, "EVP_EncryptFinal_ex failed")
            let got = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, Int32(tag.count), &tag)
            precondition(got == 1, "no GCM tag")
            return bytes
        }
        return [Self.version] + nonce + ciphertext + tag
    }

    public func unseal(_ sealed: [UInt8]) throws(UnsealError) -> [UInt8] {
        guard sealed.count >= 1 + Self.nonceSize + Self.tagSize else { throw .tooShort }
        guard sealed[0] == Self.version else { throw .unknownVersion(sealed[0]) }
        let nonce = Array(sealed[1...Self.nonceSize])
        let ciphertext = Array(sealed[(1 + Self.nonceSize)..<(sealed.count - Self.tagSize)])
        var tag = Array(sealed.suffix(Self.tagSize))
        let secret: [UInt8]? = withCipher(nonce: nonce, encrypting: false) { context in
            let bytes = Self.process(ciphertext, context, EVP_DecryptUpdate)
            let set = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_SET_TAG, Int32(tag.count), &tag)
            precondition(set == 1, "GCM tag refused")
            var rest: Int32 = 0
            return EVP_DecryptFinal_ex(context, nil, &rest) == 1 ? bytes : nil
        }
        guard let secret else { throw .notAuthentic }
        return secret
    }

    private func withCipher<R>(nonce: [UInt8], encrypting: Bool, _ body: (OpaquePointer) -> R) -> R {
        let context = EVP_CIPHER_CTX_new()!
        defer { EVP_CIPHER_CTX_free(context) }
        let made = EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, bytes, nonce, encrypting ? 1 : 0)
        precondition(made == 1, "EVP_CipherInit_ex failed")
        return body(context)
    }

    private typealias Update = (
        OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int32>?, UnsafePointer<UInt8>?, Int32
    ) -> Int32

    private static func process(_ input: [UInt8], _ context: OpaquePointer, _ update: Update) -> [UInt8] {
        guard !input.isEmpty else { return [] }
        return [UInt8](unsafeUninitializedCapacity: input.count) { buffer, count in
            var length: Int32 = 0
            let done = update(context, buffer.baseAddress, &length, input, Int32(input.count))
            precondition(done == 1, "cipher update failed")
            count = Int(length)
        }
    }
}
