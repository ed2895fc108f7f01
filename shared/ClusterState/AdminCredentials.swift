import MessageBus
import Model
import TOMLKit
import Wire

/// `admin.toml`: how `martlet-adm` and `martlet-tap` reach the cluster, and who they are there.
public struct AdminCredentials: Sendable, Equatable {
    public static let fileName = "admin.toml"
    /// Names the path of the file.
    public static let environmentVariable = "MARTLET_ADMIN"

    /// Name and role `admin` under which the key is enrolled.
    public var name: NodeName
    public var publicKey: [UInt8]
    public var secretKey: [UInt8]
    public var manager: PeerEndpoint
    /// False only for a cluster on loopback that was told to do without.
    public var encrypted: Bool

    public init(
        name: NodeName, publicKey: [UInt8], secretKey: [UInt8], manager: PeerEndpoint, encrypted: Bool = true
    ) {
        self.name = name
        self.publicKey = publicKey
        self.secretKey = secretKey
        self.manager = manager
        self.encrypted = encrypted
    }

    /// nil when a key has not 32 bytes.
    public var keyPair: CurveKeyPair? { CurveKeyPair(publicKey: publicKey, secretKey: secretKey) }

    public init(path: String) throws {
        guard let bytes = try DurableFile.read(path) else { throw CredentialsError.missing(path) }
        try self.init(toml: String(decoding: bytes, as: UTF8.self), path: path)
    }

    init(toml text: String, path: String) throws {
        let table = try TOMLTable(string: text)
        func string(_ section: String, _ key: String) throws -> String {
            guard let value = table[section]?.table?[key]?.string else {
                throw CredentialsError.incomplete(path: path, key: "\(section).\(key)")
            }
            return value
        }
        func key(_ section: String, _ name: String) throws -> [UInt8] {
            guard let key = try bytes(ofHex: string(section, name)), key.count == 32 else {
                throw CredentialsError.incomplete(path: path, key: "\(section).\(name)")
            }
            return key
        }
        try self.init(
            name: NodeName(string("admin", "name")), publicKey: key("admin", "public_key"),
            secretKey: key("admin", "secret_key"),
            manager: PeerEndpoint(
                name: NodeName(string("manager", "name")), role: .manager, address: string("manager", "address"),
                publisher: string("manager", "publisher"), publicKey: key("manager", "public_key")),
            encrypted: table["bus"]?.table?["security"]?.string != "none")
    }

    /// The file's text. Hex and addresses need no escapes.
    public var toml: String {
        """
        # Who holds this file administers the cluster. Keep it readable by its owner alone.
        [admin]
        name = "\(name)"
        public_key = "\(hexDigits(of: publicKey))"
        secret_key = "\(hexDigits(of: secretKey))"

        [manager]
        name = "\(manager.name)"
        address = "\(manager.address)"
        publisher = "\(manager.publisher)"
        public_key = "\(hexDigits(of: manager.publicKey))"

        [bus]
        security = "\(encrypted ? "curve" : "none")"

        """
    }

    /// Replaces the file, readable by its owner alone.
    public func write(to path: String) throws { try DurableFile.write(Array(toml.utf8), to: path) }
}

public enum CredentialsError: Error, Sendable, Equatable, CustomStringConvertible {
    case missing(String)
    case incomplete(path: String, key: String)

    public var description: String {
        switch self {
        case .missing(let path): "no administrator's file at \(path); give --admin FILE or set MARTLET_ADMIN"
        case .incomplete(let path, let key): "\(path): \(key) is missing or malformed"
        }
    }
}
