import ClusterStore

/// How the members of an etcd cluster are reached.
public struct EtcdOptions: Sendable {
    /// The members' client addresses; any order.
    public var endpoints: [EtcdEndpoint]
    /// Needed for `https` endpoints.
    public var tls: EtcdTLSFiles?
    /// Tells this process from others that use the same keys: two must never have the same one at a time.
    public var client: String
    /// All keys begin with it, so that an etcd cluster may be shared. ASCII, ends with a slash.
    public var root: String
    /// A member that has not answered by then is passed over: one without a leader never would.
    public var attemptTimeout = Duration.seconds(2)
    /// How long a call tries members in turn before it fails.
    public var patience = Duration.seconds(8)
    /// A watch that is silent for this long goes to another member: its own may be cut off.
    public var watchSilence = Duration.seconds(5)

    public init(endpoints: [EtcdEndpoint], tls: EtcdTLSFiles? = nil, client: String, root: String = "/martlet/") {
        precondition(!endpoints.isEmpty, "an etcd cluster has members")
        self.endpoints = endpoints
        self.tls = tls
        self.client = client
        self.root = root
    }
}

/// PEM files for mutual TLS: this, not etcd's roles, is the access control.
public struct EtcdTLSFiles: Sendable, Equatable {
    /// Certificates of the authorities that sign the members' certificates.
    public var authority: String
    /// This process's certificate, with its chain.
    public var certificate: String
    public var key: String

    public init(authority: String, certificate: String, key: String) {
        self.authority = authority
        self.certificate = certificate
        self.key = key
    }
}

/// `http://host:port` or `https://host:port`.
public struct EtcdEndpoint: Sendable, Hashable, CustomStringConvertible {
    public var host: String
    public var port: Int
    public var usesTLS: Bool

    /// nil when the text is no such address.
    public init?(_ text: String) {
        let schemes = [("https://", true), ("http://", false)]
        guard let (scheme, usesTLS) = schemes.first(where: { text.hasPrefix($0.0) }) else { return nil }
        let rest = text.dropFirst(scheme.count)
        let authority = rest.hasSuffix("/") ? rest.dropLast() : rest
        guard let colon = authority.lastIndex(of: ":"), let port = Int(authority[authority.index(after: colon)...]),
            (1...65_535).contains(port)
        else { return nil }
        var host = String(authority[..<colon])
        if host.hasPrefix("["), host.hasSuffix("]") { host = String(host.dropFirst().dropLast()) }
        guard !host.isEmpty, !host.contains("/") else { return nil }
        self.host = host
        self.port = port
        self.usesTLS = usesTLS
    }

    public var description: String {
        "\(usesTLS ? "https" : "http")://\(host.contains(":") ? "[\(host)]" : host):\(port)"
    }
}
