import ClusterStore
import Configuration
import EtcdStore
import Logging
import Model

/// Where the manager keeps the cluster's state.
public enum StoreSettings {
    public static let engine = Setting(
        "manager.store", default: "sqlite", oneOf: ["sqlite", "etcd"],
        help: "Where the cluster's state is kept: a file in node.data, for one manager, or etcd, for several.")
    public static let endpoints = Setting<[String]>(
        "manager.etcd_endpoints", default: [],
        help: "Client addresses of the members of etcd, http://host:port or https://host:port.")
    public static let authority = Setting<String?>(
        "manager.etcd_authority_file", default: nil,
        help: "PEM file with the authority that signs the certificates of etcd's members; needed for https.")
    public static let certificate = Setting<String?>(
        "manager.etcd_certificate_file", default: nil, help: "PEM file with this manager's certificate for etcd.")
    public static let key = Setting<String?>(
        "manager.etcd_key_file", default: nil, help: "PEM file with the key of that certificate.")
    public static let prefix = Setting(
        "manager.etcd_prefix", default: "/martlet/", help: "All keys in etcd begin with it; the same for all managers.",
        range: "begins and ends with a slash"
    ) { text in
        let isPath = text.hasPrefix("/") && text.hasSuffix("/") && text.utf8.allSatisfy { (0x21..<0x7F).contains($0) }
        return isPath ? nil : "\"\(text)\" does not begin and end with a slash"
    }

    public static let all: [any AnySetting] = [engine, endpoints, authority, certificate, key, prefix]
}

/// The engine that the configuration names.
enum ManagerStore {
    static let fileName = "state.sqlite"

    static let patience = Duration.seconds(4)

    struct Refused: Error, CustomStringConvertible {
        let description: String
    }

    static func open(
        _ configuration: Configuration, name: NodeName, directory: String, logger: Logger
    ) async throws -> any ClusterStore {
        guard configuration[StoreSettings.engine] == "etcd" else { return try openFile(directory) }
        return try await EtcdClusterStore.open(etcd(configuration, client: name.rawValue), logger: logger)
    }

    /// The embedded engine. A state that has moved to etcd must not be changed here any more.
    static func openFile(_ directory: String) throws -> SQLiteClusterStore {
        try MovedStore.check(directory)
        return try SQLiteClusterStore(path: directory + "/" + fileName)
    }

    /// - Parameter client: Unique among the processes that use these keys.
    static func etcd(_ configuration: Configuration, client: String) throws -> EtcdOptions {
        let texts = configuration[StoreSettings.endpoints]
        let endpoints = try texts.map { text in
            guard let endpoint = EtcdEndpoint(text) else {
                throw Refused(description: "manager.etcd_endpoints: \"\(text)\" is not http(s)://host:port")
            }
            return endpoint
        }
        guard !endpoints.isEmpty else {
            throw Refused(description: "manager.etcd_endpoints: at least one address is needed with store = \"etcd\"")
        }
        let files = [StoreSettings.authority, StoreSettings.certificate, StoreSettings.key].compactMap {
            configuration[$0]
        }
        let usesTLS = endpoints.contains { $0.usesTLS }
        guard files.count == (usesTLS ? 3 : 0) else {
            throw Refused(
                description:
                    "manager.etcd_authority_file, etcd_certificate_file and etcd_key_file are needed together, "
                    + "with https endpoints")
        }
        var options = EtcdOptions(
            endpoints: endpoints,
            tls: usesTLS ? EtcdTLSFiles(authority: files[0], certificate: files[1], key: files[2]) : nil,
            client: client, root: configuration[StoreSettings.prefix])
        // Whoever asked this manager should hear of a failure before giving it up.
        options.patience = patience
        return options
    }
}
