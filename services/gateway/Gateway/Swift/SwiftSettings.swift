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
        range: "http://… or https://…"
    ) { value in
        value.isEmpty || value.hasPrefix("http://") || value.hasPrefix("https://") ? nil : "begins with neither"
    }
    public static let region = Setting(
        "swift.region", default: "RegionOne", help: "Region of the service in the catalog.")
    public static let accountPrefix = Setting(
        "swift.account_prefix", default: "AUTH_",
        help: "What the name of an account begins with; the project's id follows.", range: "letters, digits, _ and -"
    ) { value in
        value.utf8.count <= 64
            && value.utf8.allSatisfy { byte in
                (byte | 0x20 >= 0x61 && byte | 0x20 <= 0x7A) || (0x30...0x39).contains(byte) || byte == 0x5F
                    || byte == 0x2D
            } ? nil : "has other characters"
    }
    public static let tokenLifetime = Setting<Duration>(
        "swift.token_lifetime", default: .seconds(24 * 3600), in: .seconds(60)...(.seconds(30 * 24 * 3600)),
        help: "How long a token is good.")

    public static let all: [any AnySetting] = [listen, url, region, accountPrefix, tokenLifetime]
}

extension SwiftServiceSettings {
    init(_ configuration: Configuration) {
        accountPrefix = configuration[SwiftSettings.accountPrefix]
        region = configuration[SwiftSettings.region]
        let given = configuration[SwiftSettings.url]
        url = given.isEmpty ? nil : String(given.hasSuffix("/") ? given.dropLast() : given[...])
    }
}
