/// The address that others use to reach a socket.
public enum AdvertisedAddress {
    /// Puts `host` in place of the host of `tcp://host:port`; nil leaves the address as it is.
    public static func make(bound: String, host: String?) -> String {
        guard let host, let colon = bound.lastIndex(of: ":"), bound.hasPrefix("tcp://") else { return bound }
        return "tcp://\(host.contains(":") && !host.hasPrefix("[") ? "[\(host)]" : host)\(bound[colon...])"
    }
}
