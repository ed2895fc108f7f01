import Checksums
import ClusterState
import Foundation
import Model
import Wire

/// Makes tokens and opens them. A token is its content, sealed by a key that all gateways derive from the master key: so each
/// of them can tell what it says, and nobody else can make or read one.
struct TokenSeal: Sendable {
    /// Far above what names of 64 bytes need; keeps tokens within the limits on headers.
    static let textMax = 1024

    private let key: MasterKey

    init(master: MasterKey) {
        key = MasterKey(bytes: hmac(.sha256, key: master.bytes, "martlet identity tokens"))!
    }

    /// Letters, digits, `-` and `_`.
    func text(of content: TokenContent) -> String {
        Data(key.seal(content.encoded())).base64EncodedString().filter { $0 != "=" }
            .replacing("+", with: "-").replacing("/", with: "_")
    }

    /// nil for anything that no gateway of this cluster has made. Whether it is still good is not judged here.
    func open(_ text: String) -> TokenContent? {
        guard (1...Self.textMax).contains(text.utf8.count) else { return nil }
        var base64 = text.replacing("-", with: "+").replacing("_", with: "/")
        base64 += String(repeating: "=", count: (4 - base64.utf8.count % 4) % 4)
        guard let sealed = Data(base64Encoded: base64), let bytes = try? key.unseal(Array(sealed)),
            let content = try? TokenContent(decoding: bytes), content.id.count == 16
        else { return nil }
        return content
    }
}

extension TokenContent {
    /// The name under which it is revoked.
    var revocationID: String { hexDigits(of: id) }
    var parentRevocationID: String? { parent.isEmpty ? nil : hexDigits(of: parent) }

    /// As Keystone shows ids of tokens that are safe to log.
    var auditIDs: [String] {
        [id, parent].filter { !$0.isEmpty }.map {
            Data($0).base64EncodedString().filter { $0 != "=" }.replacing("+", with: "-").replacing("/", with: "_")
        }
    }
}
