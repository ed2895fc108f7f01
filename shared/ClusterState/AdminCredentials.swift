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
    /// The manager that wrote the file.
    public var manager: PeerEndpoint
    /// The other managers: any of them may be asked.
    public var others: [PeerEndpoint]
    /// False only for a cluster on loopback that was told to do without.
    public var encrypted: Bool

    public init(
        name: NodeName, publicKey: [UInt8], secretKey: [UInt8], manager: PeerEndpoint,
        others: [PeerEndpoint] = [], encrypted: Bool = true
    ) {
        self.name = name
        self.publicKey = publicKey
        self.secretKey = secretKey
        self.manager = manager
        self.others = others
        self.encrypted = encrypted
    }

    /// All managers, in the order of asking.
    public var managers: [PeerEndpoint] { [manager] + others }

    /// nil when a key has not 32 bytes.
    public var keyPair: CurveKeyPair? { CurveKeyPair(publicKey: publicKey, secretKey: secretKey) }

    public init(path: String) throws {
        guard let bytes = try DurableFile.read(path) else { throw CredentialsError.missing(path) }
        try self.init(toml: String(decoding: bytes, as: UTF8.self), path: path)
    }

    init(toml text: String, path: String) throws {
        let table = try TOMLTable(string: text)
        let admin = Section(table["admin"]?.table, "admin", path)
        let others = table["other_managers"]?.array.map { array in array.compactMap { $0.table } } ?? []
        try self.init(
            name: NodeName(admin.string("name")), publicKey: admin.key("public_key"),
            secretKey: admin.key("secret_key"), manager: Section(table["manager"]?.table, "manager", path).manager(),
            others: others.map { try Section($0, "other_managers", path).manager() },
            encrypted: table["bus"]?.table?["security"]?.string != "none")
    }

    /// A table of the file.
    private struct Section {
        let table: TOMLTable?
        let name: String
        let path: String

        init(_ table: TOMLTable?, _ name: String, _ path: String) {
            self.table = table
            self.name = name
            self.path = path
        }

        func string(_ key: String) throws -> String {
            guard let value = table?[key]?.string else {
                throw CredentialsError.incomplete(path: path, key: "\(name).\(key)")
            }
            return value
        }

        func key(_ key: String) throws -> [UInt8] {
            guard let bytes = try bytes(ofHex: string(key)), bytes.count == 32 else {
                throw CredentialsError.incomplete(path: path, key: "\(name).\(key)")
            }
            return bytes
        }

        func manager() throws -> PeerEndpoint {
            try PeerEndpoint(
                name: NodeName(string("name")), role: .manager, address: string("address"),
                publisher: string("publisher"), publicKey: key("public_key"))
        }
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
        \(Self.lines(manager))

        [bus]
        security = "\(encrypted ? "curve" : "none")"

        """ + others.map { "\n[[other_managers]]\n\(Self.lines($0))\n" }.joined()
    }

    private static func lines(_ manager: PeerEndpoint) -> String {
        """
        name = "\(manager.name)"
        address = "\(manager.address)"
        publisher = "\(manager.publisher)"
        public_key = "\(hexDigits(of: manager.publicKey))"
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
