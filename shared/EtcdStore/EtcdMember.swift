import ClusterStore
import NIOCore
import NIOHTTP1
import NIOPosix
import NIOSSL
import Synchronization

/// One member of the etcd cluster, with the connections to it that are free.
final class EtcdMember: Sendable {
    /// Free connections that are kept.
    static let idleMax = 4

    let endpoint: EtcdEndpoint
    private let tls: NIOSSLContext?
    private let idle = Mutex<[any Channel]>([])

    init(_ endpoint: EtcdEndpoint, tls: NIOSSLContext?) {
        self.endpoint = endpoint
        self.tls = tls
    }

    /// The context for `https` members.
    static func context(_ files: EtcdTLSFiles) throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        configuration.trustRoots = .file(files.authority)
        configuration.certificateChain = try NIOSSLCertificate.fromPEMFile(files.certificate).map { .certificate($0) }
        configuration.privateKey = .privateKey(try NIOSSLPrivateKey(file: files.key, format: .pem))
        configuration.minimumTLSVersion = .tlsv12
        return try NIOSSLContext(configuration: configuration)
    }

    /// Sends one request and waits for the whole answer.
    func call(_ path: String, _ body: [UInt8], timeout: Duration) async throws -> EtcdReply {
        let deadline = NIODeadline.now() + TimeAmount(timeout)
        let channel = try await freeConnection(timeout)
        let promise = channel.eventLoop.makePromise(of: EtcdReply.self)
        let timer = channel.eventLoop.scheduleTask(deadline: deadline) { channel.close(promise: nil) }
        let call = EtcdCall(path: path, host: hostField, body: body, answer: promise)
        channel.writeAndFlush(call).cascadeFailure(to: promise)
        defer { timer.cancel() }
        let reply = try await promise.futureResult.get()
        giveBack(channel)
        return reply
    }

    /// Sends one request whose answer is streamed.
    func stream(_ path: String, _ body: [UInt8], timeout: Duration) async throws -> EtcdStream {
        let box = Mutex<EtcdStream?>(nil)
        let channel = try await connect(timeout) { channel in
            let stream = EtcdStream(channel: channel)
            box.withLock { $0 = stream }
            return EtcdStreamHandler(stream)
        }
        guard let stream = box.withLock({ $0 }) else { throw EtcdConnectionLost(description: "no stream") }
        let call = EtcdCall(
            path: path, host: hostField, body: body, answer: channel.eventLoop.makePromise(of: EtcdReply.self))
        call.answer.succeed(EtcdReply(status: 0, body: []))
        try await channel.writeAndFlush(call)
        return stream
    }

    func close() {
        let channels = idle.withLock { channels in
            defer { channels = [] }
            return channels
        }
        for channel in channels { channel.close(promise: nil) }
    }

    private var hostField: String {
        endpoint.host.contains(":") ? "[\(endpoint.host)]:\(endpoint.port)" : "\(endpoint.host):\(endpoint.port)"
    }

    // MARK: - Connections

    private func freeConnection(_ timeout: Duration) async throws -> any Channel {
        while let channel = idle.withLock({ $0.popLast() }) {
            if channel.isActive { return channel }
        }
        return try await connect(timeout) { _ in EtcdCallHandler() }
    }

    private func giveBack(_ channel: any Channel) {
        let surplus = idle.withLock { channels in
            guard channel.isActive, channels.count < Self.idleMax else { return true }
            channels.append(channel)
            return false
        }
        if surplus { channel.close(promise: nil) }
    }

    private func connect(
        _ timeout: Duration, _ handler: @escaping @Sendable (any Channel) -> any ChannelHandler
    ) async throws -> any Channel {
        try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(TimeAmount(timeout))
            .channelOption(.socketOption(.tcp_nodelay), value: 1)
            .channelInitializer { [tls, endpoint] channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let tls {
                        try pipeline.addHandler(Self.tlsHandler(tls, host: endpoint.host))
                    }
                    try pipeline.addHTTPClientHandlers()
                    try pipeline.addHandler(handler(channel))
                }
            }
            .connect(host: endpoint.host, port: endpoint.port).get()
    }

    /// The certificate must be for the host: a name, or an address, which is then compared with the peer's.
    private static func tlsHandler(_ context: NIOSSLContext, host: String) throws -> NIOSSLClientHandler {
        let isAddress = (try? SocketAddress(ipAddress: host, port: 0)) != nil
        return try NIOSSLClientHandler(context: context, serverHostname: isAddress ? nil : host)
    }
}
