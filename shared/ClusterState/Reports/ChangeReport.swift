/// The answer of a verb that changed the cluster's state, with the gateways that did not work with the change yet when the
/// manager stopped waiting for them.
public struct ChangeReport: Encodable, Sendable {
    private let report: any Encodable & Sendable
    private let gatewaysBehind: [String]

    public init(_ report: any Encodable & Sendable, gatewaysBehind: [String]) {
        self.report = report
        self.gatewaysBehind = gatewaysBehind
    }

    /// The keys of the verb's own report, and one more if a gateway is behind.
    public func encode(to encoder: any Encoder) throws {
        try report.encode(to: encoder)
        guard !gatewaysBehind.isEmpty else { return }
        try GatewaysBehind(gatewaysBehind: gatewaysBehind).encode(to: encoder)
    }
}

/// What any answer may tell beside its own keys.
public struct GatewaysBehind: Codable, Sendable, Equatable {
    /// nil: none is.
    public var gatewaysBehind: [String]?

    public init(gatewaysBehind: [String]? = nil) { self.gatewaysBehind = gatewaysBehind }
}
