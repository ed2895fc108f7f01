import Checksums
import Model
import S3Protocol
import Wire

/// A signature by a key of an account or a container: of signed addresses, and of forms.
struct KeySignature: Sendable {
    static let digests: [(name: String, algorithm: HashAlgorithm)] = [
        ("sha1", .sha1), ("sha256", .sha256), ("sha512", .sha512),
    ]

    private let algorithm: HashAlgorithm
    private let bytes: [UInt8]

    /// Hex, or the digest's name, a colon and base64 of either alphabet. nil: none of these.
    init?(_ text: String) {
        if let colon = text.firstIndex(of: ":") {
            guard let digest = Self.digests.first(where: { $0.name == text[..<colon] }) else { return nil }
            var base64 = text[text.index(after: colon)...].replacing("-", with: "+").replacing("_", with: "/")
            base64 = base64.filter { $0 != "=" }
            base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
            guard let bytes = Base64.decode(String(base64)) else { return nil }
            (algorithm, self.bytes) = (digest.algorithm, bytes)
        } else {
            guard let bytes = Model.bytes(ofHex: text),
                let digest = Self.digests.first(where: { $0.algorithm.byteCount == bytes.count })
            else { return nil }
            (algorithm, self.bytes) = (digest.algorithm, bytes)
        }
    }

    func matches(_ text: String, _ key: String) -> Bool {
        constantTimeEqual(hmac(algorithm, key: key, text), bytes)
    }
}

/// A key that signs addresses and forms.
struct SignatureKey: Sendable {
    var value: String
    /// nil: of the account.
    var container: String?

    /// Of the account first. An empty key is none.
    static func all(of call: SwiftCall) -> [SignatureKey] {
        let account = values(call.project?.headers ?? [], "account").map { SignatureKey(value: $0) }
        let container = values(call.container?.headers ?? [], "container")
            .map { SignatureKey(value: $0, container: call.containerName) }
        return account + container
    }

    private static func values(_ headers: [SwiftHeader], _ kind: String) -> [String] {
        ["x-\(kind)-meta-temp-url-key", "x-\(kind)-meta-temp-url-key-2"].compactMap { headers[$0] }
            .filter { !$0.isEmpty }
    }
}
