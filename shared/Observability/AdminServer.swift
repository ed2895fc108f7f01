import Logging
import NIOCore
import NIOHTTP1
import NIOPosix

/// A small HTTP/1.1 server for operators: health and metrics. Never for clients' data.
public final class AdminServer: Sendable {
    /// An answer with a JSON body.
    public struct Health: Sendable {
        public var isGood: Bool
        public var json: String
        public init(isGood: Bool, json: String) {
            self.isGood = isGood
            self.json = json
        }
    }

    public struct Handlers: Sendable {
        /// Whether the process may take traffic, by named checks; all must hold.
        public var readiness: @Sendable () async -> [String: Bool]
        /// Whether every part of the data can be written; nil: this process does not know, 404.
        public var cluster: (@Sendable () async -> Health)?

        public init(
            readiness: @escaping @Sendable () async -> [String: Bool], cluster: (@Sendable () async -> Health)? = nil
        ) {
            self.readiness = readiness
            self.cluster = cluster
        }
    }

    private let channel: any Channel

    private init(channel: any Channel) { self.channel = channel }

    /// Binds `listen` ("host:port", port 0: any) and serves until ``stop()``.
    public static func start(
        listen: String, group: any EventLoopGroup, metrics: MetricsRegistry, handlers: Handlers, logger: Logger
    ) async throws -> AdminServer {
        let (host, port) = try ListenAddress.parse(listen)
        let limit = ConnectionLimit(max: 64)
        let bootstrap = ServerBootstrap(group: group)
            .serverChannelOption(.backlog, value: 64)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                guard limit.enter(channel) else { return channel.close() }
                return channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.configureHTTPServerPipeline(withErrorHandling: true)
                    try channel.pipeline.syncOperations.addHandlers(
                        IdleStateHandler(allTimeout: .seconds(60)), AdminHandler(metrics: metrics, handlers: handlers))
                }
            }
        let channel = try await bootstrap.bind(host: host, port: port).get()
        let server = AdminServer(channel: channel)
        logger.info("admin server listens", metadata: ["address": "\(server.address)"])
        return server
    }

    /// "host:port" as bound.
    public var address: String {
        guard let address = channel.localAddress else { return "" }
        return "\(address.ipAddress ?? ""):\(address.port ?? 0)"
    }

    public func stop() async { try? await channel.close() }
}

/// "host:port", also "[::1]:80".
public enum ListenAddress {
    public struct Malformed: Error, CustomStringConvertible {
        public let text: String
        public var description: String { "\"\(text)\" is not host:port" }
    }

    public static func parse(_ text: String) throws -> (host: String, port: Int) {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]),
            (0...65535).contains(port)
        else { throw Malformed(text: text) }
        let host = text[..<colon]
        guard !host.isEmpty else { throw Malformed(text: text) }
        return (host.hasPrefix("[") ? String(host.dropFirst().dropLast()) : String(host), port)
    }
}
