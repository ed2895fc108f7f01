import ClusterState
import Configuration
import Foundation
import Logging
import MessageBus
import NIOCore
import ObjectAccess
import ProcessRuntime
import Synchronization
import Wire

/// The gateway as a process: S3 in front, the cluster behind.
public final class GatewayService: ProcessService {
    private struct BadAddress: Error, CustomStringConvertible {
        var description: String
    }

    private let context: ProcessContext
    private let front: Front
    private let server: FrontServer
    private let accessLog: AccessLog?
    private let isServing = Atomic<Bool>(false)

    public init(_ context: ProcessContext) throws {
        self.context = context
        let configuration = context.configuration
        accessLog = try AccessLog(destination: configuration[GatewaySettings.accessLog])
        let cluster = context.cluster
        let master = context.masterKey.flatMap(MasterKey.init(bytes:))
        if master == nil { context.logger.warning("no master key: no signed request can be served") }
        front = Front(
            name: context.name.rawValue, limits: FrontLimits(configuration),
            names: HostNames(
                configuration[GatewaySettings.hosts], websites: configuration[GatewaySettings.websiteHosts],
                more: { cluster.view.endpoints }),
            proxies: TrustedProxies(configuration[GatewaySettings.trustedProxies].compactMap { AddressBlock($0) }),
            authenticator: Authenticator(
                cluster: cluster, unseal: { sealed in try? master?.unseal(sealed) },
                allowsV2: configuration[GatewaySettings.signatureV2]),
            handler: Self.operations(context), metrics: FrontMetrics(context.metrics), accessLog: accessLog,
            clock: { Self.milliseconds() / 1000 })
        let threads = configuration[GatewaySettings.threads]
        server = FrontServer(
            front: front, threads: threads > 0 ? threads : System.coreCount, logger: context.logger)
    }

    public func start() async throws {
        let text = context.configuration[GatewaySettings.listen]
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else {
            throw BadAddress(description: "gateway.listen is not host:port: \(text)")
        }
        let host = text[..<colon].trimmingCharacters(in: ["[", "]"])
        try await server.start(host: host, port: port)
        isServing.store(true, ordering: .relaxed)
        context.logger.notice("serving S3", metadata: ["address": "\(host):\(server.port)"])
    }

    public func handle(_ request: IncomingRequest, _ responder: Responder) {
        responder.fail(.unknownType, "a gateway serves no requests of the bus")
    }

    public func command(_ verb: String, _ arguments: [String]) async throws -> [UInt8]? {
        guard verb == "status" else { return nil }
        let status: [String: any Sendable] = [
            "listen": context.configuration[GatewaySettings.listen], "port": server.port,
            "connections": Int(front.metrics.connections.value), "requests": Int(front.metrics.inFlight.value),
            "memory_limit": front.limits.memoryLimit, "memory_free": front.budget.free,
        ]
        return try Array(JSONSerialization.data(withJSONObject: status, options: [.sortedKeys]))
    }

    public func readiness() async -> [String: Bool] {
        let view = context.cluster.view
        return [
            "serving": isServing.load(ordering: .relaxed), "ring": view.ring != nil, "settings": view.settings != nil,
            "master-key": context.masterKey != nil,
        ]
    }

    public func stop() async {
        isServing.store(false, ordering: .relaxed)
        await server.stop()
        await accessLog?.close()
    }

    private static func operations(_ context: ProcessContext) -> S3Operations {
        let registers = RegisterClient(
            bus: context.bus, cluster: context.cluster, writer: context.writer, logger: context.logger,
            metrics: context.metrics)
        return S3Operations(
            storage: ClusterObjectStorage(
                registers: registers, chunks: ChunkClient(registers), lister: Lister(registers)),
            buckets: BucketDirectory(
                cluster: context.cluster,
                changes: ManagerBucketChanges(bus: context.bus, cluster: context.cluster, timeout: .seconds(5))),
            encryptionKeys: EncryptionKeys(
                master: context.masterKey.flatMap(MasterKey.init(bytes:)), cluster: context.cluster),
            logger: context.logger, metrics: context.metrics,
            listCoversObjects: context.configuration[GatewaySettings.bucketListCoversObjects], clock: milliseconds)
    }

    /// Since 1970.
    @Sendable private static func milliseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}
