import NIOHTTP1

/// Proxies before the gateway that tell the truth about their clients.
struct TrustedProxies: Sendable {
    struct Client: Sendable, Equatable {
        /// IP address.
        var address: String
        /// Its connection to the first trusted proxy was encrypted.
        var isSecure: Bool
    }

    private let blocks: [AddressBlock]

    init(_ blocks: [AddressBlock]) { self.blocks = blocks }

    /// Goes back through `X-Forwarded-For` as long as the sender of what stands there is trusted: the rest may be made up.
    func client(of remote: String, _ headers: HTTPHeaders) -> Client {
        var client = Client(address: remote, isSecure: false)
        guard isTrusted(remote) else { return client }
        client.isSecure = headers.first(name: "x-forwarded-proto")?.lowercased() == "https"
        let hops: [String] = headers["x-forwarded-for"].joined(separator: ",").filter { $0 != " " }
            .split(separator: ",").map(String.init)
        for hop in hops.reversed() where isTrusted(client.address) { client.address = hop }
        return client
    }

    private func isTrusted(_ address: String) -> Bool { blocks.contains { $0.contains(address) } }
}
