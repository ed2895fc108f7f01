/// Where a webhook's events are posted to: `http://host[:port][/path]`, or `https`.
public struct WebhookAddress: Sendable, Hashable {
    public static let sizeMax = 2048

    public let isSecure: Bool
    /// Without brackets.
    public let host: String
    public let port: Int
    /// With the query, as it is sent.
    public let path: String

    /// nil unless it is an address that can be posted to. Credentials do not belong here, nor fragments.
    public init?(_ text: String) {
        guard text.utf8.count <= Self.sizeMax, text.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f }) else { return nil }
        let rest: Substring
        if text.hasPrefix("http://") {
            (isSecure, rest) = (false, text.dropFirst("http://".count))
        } else if text.hasPrefix("https://") {
            (isSecure, rest) = (true, text.dropFirst("https://".count))
        } else {
            return nil
        }
        let end = rest.firstIndex { $0 == "/" || $0 == "?" } ?? rest.endIndex
        guard !rest.contains("#"), let (host, port) = Self.split(rest[..<end]) else { return nil }
        self.host = host
        self.port = port ?? (isSecure ? 443 : 80)
        path = rest[end...].hasPrefix("/") ? String(rest[end...]) : "/" + rest[end...]
    }

    private static func split(_ authority: Substring) -> (host: String, port: Int?)? {
        guard !authority.contains("@") else { return nil }
        var (host, rest) = (authority, Substring())
        if authority.hasPrefix("[") {
            guard let end = authority.firstIndex(of: "]") else { return nil }
            (host, rest) = (authority.dropFirst().prefix(upTo: end), authority[authority.index(after: end)...])
        } else if let colon = authority.firstIndex(of: ":") {
            (host, rest) = (authority[..<colon], authority[colon...])
        }
        guard !host.isEmpty else { return nil }
        if rest.isEmpty { return (String(host), nil) }
        guard rest.hasPrefix(":"), let port = UInt16(rest.dropFirst()), port > 0 else { return nil }
        return (String(host), Int(port))
    }
}
