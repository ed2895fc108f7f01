import Configuration

/// Settings of the Swift front.
public enum SwiftSettings {
    public static let listen = Setting(
        "swift.listen", default: "off",
        help: "Where Swift and its Keystone are served, host:port; port 0: any; or off.")
    public static let url = Setting(
        "swift.url", default: "",
        help:
            "Address that clients are given for the service, such as https://swift.example.org; default: as they spell it.",
        range: "http://… or https://…", validate: faultOfURL)
    public static let region = Setting(
        "swift.region", default: "RegionOne", help: "Region of the service in the catalog.")
    public static let accountPrefix = Setting(
        "swift.account_prefix", default: "AUTH_",
        help: "What the name of an account begins with; the project's id follows.", range: "letters, digits, _ and -",
        validate: faultOfPrefix)
    public static let tokenLifetime = Setting<Duration>(
        "swift.token_lifetime", default: .seconds(24 * 3600), in: .seconds(60)...(.seconds(30 * 24 * 3600)),
        help: "How long a token is good.")

    public static let accountRate = Setting(
        "swift.account_ratelimit", default: 0, in: 0...1_000_000,
        help: "Writes of containers a second for one account at this gateway, further ones wait; 0: no limit.")
    public static let containerRate = Setting(
        "swift.container_ratelimit", default: 0, in: 0...1_000_000,
        help: "Writes of objects a second for one container at this gateway, further ones wait; 0: no limit.")
    public static let rateWait = Setting<Duration>(
        "swift.ratelimit_wait", default: .seconds(60), in: .seconds(0)...(.seconds(600)),
        help: "How long a write may wait for its turn; beyond that it is refused with 498.")

    public static let servicePrefix = Setting(
        "swift.service_prefix", default: "",
        help: "What names of accounts begin with that need a token of a service too, such as SERVICE_; empty: none do.",
        range: "letters, digits, _ and -", validate: faultOfPrefix)
    public static let keystoneURL = Setting(
        "swift.keystone_url", default: "",
        help: "Address of another Keystone whose tokens are good here, such as https://keystone.example.org:5000.",
        range: "http://… or https://…", validate: faultOfURL)
    public static let keystoneUser = Setting(
        "swift.keystone_user", default: "swift", help: "User there who may validate tokens.")
    public static let keystonePassword = Setting<String>(
        "swift.keystone_password", default: "", help: "The password of that user.", secret: true)
    public static let keystoneProject = Setting(
        "swift.keystone_project", default: "service", help: "Project that this user logs in to.")
    public static let keystoneDomain = Setting(
        "swift.keystone_domain", default: "default", help: "Id of the domain of that user and project.")
    public static let keystoneAuthority = Setting(
        "swift.keystone_ca", default: "", help: "File of certificates to trust there; default: those of the system.")
    public static let keystoneCache = Setting<Duration>(
        "swift.keystone_cache", default: .seconds(300), in: .seconds(0)...(.seconds(3600)),
        help: "How long an answer about a token is good, and so how long a revoked token may still work.")

    public static let all: [any AnySetting] = [
        listen, url, region, accountPrefix, tokenLifetime, accountRate, containerRate, rateWait, servicePrefix,
        keystoneURL, keystoneUser, keystonePassword, keystoneProject, keystoneDomain, keystoneAuthority,
        keystoneCache,
    ]

    @Sendable private static func faultOfURL(_ value: String) -> String? {
        value.isEmpty || value.hasPrefix("http://") || value.hasPrefix("https://") ? nil : "begins with neither"
    }

    @Sendable private static func faultOfPrefix(_ value: String) -> String? {
        let isPlain = value.utf8.allSatisfy { byte in
            (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (0x30...0x39).contains(byte) || byte == 0x5F || byte == 0x2D
        }
        return isPlain && value.utf8.count <= 32 ? nil : "has other characters, or more than 32"
    }
}

extension ExternalKeystone {
    /// nil: there is none. Throws when its address is none.
    convenience init?(_ configuration: Configuration, clock: @escaping @Sendable () -> Int64) throws {
        let url = configuration[SwiftSettings.keystoneURL]
        guard !url.isEmpty else { return nil }
        self.init(
            client: try KeystoneClient(url: url, authority: configuration[SwiftSettings.keystoneAuthority]),
            account: Account(
                user: configuration[SwiftSettings.keystoneUser],
                password: configuration[SwiftSettings.keystonePassword],
                project: configuration[SwiftSettings.keystoneProject],
                domain: configuration[SwiftSettings.keystoneDomain]),
            rememberedFor: configuration[SwiftSettings.keystoneCache], clock: clock)
    }
}

extension SwiftServiceSettings {
    init(_ configuration: Configuration) {
        accountPrefix = configuration[SwiftSettings.accountPrefix]
        region = configuration[SwiftSettings.region]
        servicePrefix = configuration[SwiftSettings.servicePrefix]
        rates = WriteRateLimits(
            account: configuration[SwiftSettings.accountRate], container: configuration[SwiftSettings.containerRate],
            waitMax: configuration[SwiftSettings.rateWait])
        let given = configuration[SwiftSettings.url]
        url = given.isEmpty ? nil : String(given.hasSuffix("/") ? given.dropLast() : given[...])
    }
}
