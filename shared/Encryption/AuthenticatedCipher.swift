import COpenSSL

/// AES-256-GCM under one key. Not for use by two threads at once.
///
/// A nonce must never be used twice under one key: callers make it from what is unique.
final class AuthenticatedCipher: @unchecked Sendable {
    static let keySize = 32
    static let nonceSize = 12
    static let tagSize = 16

    private let context: OpaquePointer
    private let key: [UInt8]

    init(key: [UInt8]) {
        precondition(key.count == Self.keySize, "an AES-256 key has 32 bytes")
        self.key = key
        context = EVP_CIPHER_CTX_new()!
    }

    deinit { EVP_CIPHER_CTX_free(context) }

    /// Writes as many bytes as it reads, and the tag.
    func seal(
        _ plain: UnsafeRawBufferPointer, nonce: [UInt8], additional: [UInt8] = [], to target: UnsafeMutableRawPointer,
        tag: UnsafeMutableRawPointer
    ) {
        start(nonce, additional, sealing: true)
        update(plain, target, EVP_EncryptUpdate)
        var rest: Int32 = 0
        precondition(EVP_EncryptFinal_ex(context, nil, &rest) == 1, "EVP_EncryptFinal_ex failed")
        let got = EVP_CIPHER_CTX_ctrl(context, EVP_CTRL_GCM_GET_TAG, Int32(Self.tagSize), tag)
        precondition(got == 1, "no GCM tag")
    }

    /// Returns whether the bytes are those that were sealed. What is at `target` otherwise must not be used.
    func open(
        _ sealed: UnsafeRawBufferPointer, nonce: [UInt8], additional: [UInt8] = [], tag: UnsafeRawPointer,
        to target: UnsafeMutableRawPointer
    ) -> Bool {
        start(nonce, additional, sealing: false)
        update(sealed, target, EVP_DecryptUpdate)
        let set = EVP_CIPHER_CTX_ctrl(
            context, EVP_CTRL_GCM_SET_TAG, Int32(Self.tagSize), UnsafeMutableRawPointer(mutating: tag))
        precondition(set == 1, "GCM tag refused")
        var rest: Int32 = 0
        return EVP_DecryptFinal_ex(context, nil, &rest) == 1
    }

    private func start(_ nonce: [UInt8], _ additional: [UInt8], sealing: Bool) {
        precondition(nonce.count == Self.nonceSize, "a GCM nonce has 12 bytes")
        let made = EVP_CipherInit_ex(context, EVP_aes_256_gcm(), nil, key, nonce, sealing ? 1 : 0)
        precondition(made == 1, "EVP_CipherInit_ex failed")
        guard !additional.isEmpty else { return }
        var length: Int32 = 0
        let added = EVP_CipherUpdate(context, nil, &length, additional, Int32(additional.count))
        precondition(added == 1, "EVP_CipherUpdate failed")
    }

    private typealias Update = (
        OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<Int32>?, UnsafePointer<UInt8>?, Int32
    ) -> Int32

    private func update(_ source: UnsafeRawBufferPointer, _ target: UnsafeMutableRawPointer, _ function: Update) {
        guard let base = source.baseAddress, source.count > 0 else { return }
        var length: Int32 = 0
        let done = function(
            context, target.assumingMemoryBound(to: UInt8.self), &length, base.assumingMemoryBound(to: UInt8.self),
            Int32(source.count))
        precondition(done == 1 && Int(length) == source.count, "cipher update failed")
    }
}
