import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL

/// Connections that a gateway makes to other HTTP servers: webhooks, another Keystone.
enum OutgoingConnection {
    /// - Parameter authority: a file of certificates to trust; empty: those of the system.
    static func trust(authority: String) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        if !authority.isEmpty { configuration.trustRoots = .file(authority) }
        configuration.minimumTLSVersion = .tlsv12
        return try NIOSSLContext(configuration: configuration)
    }

    /// - Parameters:
    ///   - tls: nil: the connection is not encrypted.
    ///   - handler: made on the connection's event loop; it gets what the HTTP decoder makes of the answers.
    static func open(
        host: String, port: Int, tls: NIOSSLContext?, timeout: TimeAmount, on group: any EventLoopGroup,
        handler: @escaping @Sendable () -> any ChannelHandler
    ) async throws -> any Channel {
        try await ClientBootstrap(group: group).connectTimeout(timeout)
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        // The certificate must be for the host: a name, or an address, which is then compared.
                        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
                        try pipeline.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: isAddress ? nil : host))
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(handler())
                }
            }
            .connect(host: host, port: port).get()
    }
}
