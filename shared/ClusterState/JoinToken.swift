import Checksums
import Model
import Wire

/// What an operator gives to a new process so that it may enrol.
///
/// Text form: `mjt1.ID.SECRET.KEY`, all hex; KEY is the manager's public key, so that the new process knows whom to
/// trust. The secret itself never travels: a request carries an HMAC over what it asks for.
public struct JoinToken: Sendable, Equatable, CustomStringConvertible {
    public var id: String
    public var secret: [UInt8]
    public var managerKey: [UInt8]

    public init(id: String, secret: [UInt8], managerKey: [UInt8]) {
        self.id = id
        self.secret = secret
        self.managerKey = managerKey
    }

    /// A new token with 128 bits of id and 256 bits of secret.
    public static func random(managerKey: [UInt8]) -> JoinToken {
        JoinToken(id: hexDigits(of: randomBytes(16)), secret: randomBytes(32), managerKey: managerKey)
    }

    /// nil when the text is no token.
    public init?(_ text: String) {
        let line = text.split(whereSeparator: \.isNewline).first.map(String.init) ?? text
        let parts = line.filter { $0 != " " }.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 4, parts[0] == "mjt1", bytes(ofHex: parts[1])?.count == 16,
            let secret = bytes(ofHex: parts[2]), secret.count == 32, let key = bytes(ofHex: parts[3]), key.count == 32
        else { return nil }
        self.init(id: String(parts[1]), secret: secret, managerKey: key)
    }

    public var description: String { "mjt1.\(id).\(hexDigits(of: secret)).\(hexDigits(of: managerKey))" }

    /// HMAC-SHA-256 by the token's secret over name, role and public key, each with its length before it.
    public static func proof(secret: [UInt8], name: String, role: MemberRole, publicKey: [UInt8]) -> [UInt8] {
        var message = Array("martlet enrolment 1".utf8)
        for field in [Array(name.utf8), [UInt8(truncatingIfNeeded: role.rawValue)], publicKey] {
            withUnsafeBytes(of: UInt32(field.count).bigEndian) { message += $0 }
            message += field
        }
        return hmac(.sha256, key: secret, message)
    }
}
