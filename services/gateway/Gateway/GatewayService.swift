import ClusterState
import Configuration
import Foundation
import Logging
import MessageBus
import NIOCore
import ObjectAccess
import ProcessRuntime
import S3Protocol
import Synchronization
import Wire

/// The gateway as a process: S3 and Swift in front, the cluster behind.
public final class GatewayService: ProcessService {
    private struct BadAddress: Error, CustomStringConvertible {
        var description: String
    }

    private let context: ProcessContext
    private let front: Front
    private let server: FrontServer
    /// Only with `swift.listen`.
    private let swiftServer: FrontServer?
    private let accessLog: AccessLog?
    private let notifier: Notifier
    private let operations: S3Operations
    private let logDelivery = Mutex<Task<Void, Never>?>(nil)
    private let isServing = Atomic<Bool>(false)

    public init(_ context: ProcessContext) throws {
        self.context = context
        let configuration = context.configuration
        accessLog = try AccessLog(destination: configuration[GatewaySettings.accessLog])
        let cluster = context.cluster
        let master = context.masterKey.flatMap(MasterKey.init(bytes:))
        notifier = try Self.notifier(context, master)
        let refresh = SharedRefresh(cluster: cluster)
        operations = Self.operations(context, notifier, refresh)
        if master == nil { context.logger.warning("no master key: no signed request can be served") }
        front = Front(
            name: context.name.rawValue, limits: FrontLimits(configuration),
            names: HostNames(
                configuration[GatewaySettings.hosts], websites: configuration[GatewaySettings.websiteHosts],
                more: { cluster.view.endpoints }),
            proxies: TrustedProxies(configuration[GatewaySettings.trustedProxies].compactMap { AddressBlock($0) }),
            authenticator: Authenticator(
                cluster: cluster, unseal: { sealed in try? master?.unseal(sealed) },
                allowsV2: configuration[GatewaySettings.signatureV2], refresh: refresh),
            handler: operations, metrics: FrontMetrics(context.metrics), accessLog: accessLog,
            clock: { Self.milliseconds() / 1000 })
        let chosen = configuration[GatewaySettings.threads]
        let threads = chosen > 0 ? chosen : System.coreCount
        server = FrontServer(front: front, threads: threads, logger: context.logger)
        swiftServer = try Self.swiftFront(context, master, operations, front, accessLog, refresh).map {
            FrontServer(front: $0, threads: threads, logger: context.logger)
        }
    }

    /// nil: it is off, or there is no key that tokens could be sealed with.
    private static func swiftFront(
        _ context: ProcessContext, _ master: MasterKey?, _ operations: S3Operations, _ front: Front, _ log: AccessLog?,
        _ refresh: SharedRefresh
    ) throws -> SwiftFront? {
        let configuration = context.configuration
        guard configuration[SwiftSettings.listen] != "off", let master else { return nil }
        let changes = changes(context)
        let settings = SwiftServiceSettings(configuration)
        let tokens = TokenService(
            cluster: context.cluster, master: master, changes: changes,
            lifetime: configuration[SwiftSettings.tokenLifetime], clock: milliseconds, refresh: refresh,
            external: try ExternalKeystone(configuration, clock: milliseconds))
        let service = SwiftService(
            settings: settings, identity: IdentityAPI(tokens: tokens, settings: settings),
            operations: SwiftOperations(settings: settings, tokens: tokens, s3: operations, changes: changes),
            logger: context.logger)
        return SwiftFront(
            service: service, limits: front.limits, budget: front.budget, admission: front.admission,
            metrics: front.metrics, accessLog: log, clock: { milliseconds() / 1000 })
    }

    private static func changes(_ context: ProcessContext) -> ManagerBucketChanges {
        ManagerBucketChanges(bus: context.bus, cluster: context.cluster, timeout: .seconds(5))
    }

    public func start() async throws {
        try notifier.start()
        notifier.follow(context.cluster.view)
        context.cluster.onChange { [weak notifier] in notifier?.follow($0) }
        try await start(server, at: GatewaySettings.listen, "S3")
        if let swiftServer { try await start(swiftServer, at: SwiftSettings.listen, "Swift") }
        let interval = context.configuration[GatewaySettings.bucketLogInterval]
        let delivery = Task { [operations] in
            while (try? await Task.sleep(for: interval)) != nil {
                // A stop waits for what is being delivered.
                await Task { await operations.deliverLogs() }.value
            }
        }
        logDelivery.withLock { $0 = delivery }
        isServing.store(true, ordering: .relaxed)
    }

    private func start(_ server: FrontServer, at setting: Setting<String>, _ name: String) async throws {
        let text = context.configuration[setting]
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...]) else {
            throw BadAddress(description: "\(setting.name) is not host:port: \(text)")
        }
        let host = text[..<colon].trimmingCharacters(in: ["[", "]"])
        try await server.start(host: host, port: port)
        context.logger.notice("serving \(name)", metadata: ["address": "\(host):\(server.port)"])
    }

    public func handle(_ request: IncomingRequest, _ responder: Responder) {
        guard request.type == .publishEvents else {
            return responder.fail(.unknownType, "a gateway does not serve \(request.type)")
        }
        guard isServing.load(ordering: .relaxed) else {
            return responder.fail(.unavailable, "the gateway is not serving")
        }
        Task { [notifier] in
            do throws(BusError) {
                let events = try request.decoded(PublishEventsRequest.self).events
                responder.reply(PublishEventsReply(dropped: UInt32(clamping: try await notifier.take(events))))
            } catch {
                responder.fail(error)
            }
        }
    }

    public func command(_ verb: String, _ arguments: [String]) async throws -> [UInt8]? {
        if verb == "webhook-status" { return try ReportCoding.encode(await notifier.report) }
        guard verb == "status" else { return nil }
        let status: [String: any Sendable] = [
            "listen": context.configuration[GatewaySettings.listen], "port": server.port,
            "connections": Int(front.metrics.connections.value), "requests": Int(front.metrics.inFlight.value),
            "requests_in_service": front.admission.inService, "admission_limit": front.admission.present,
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
        async let swift: Void? = swiftServer?.stop()
        await server.stop()
        await swift
        let delivery = logDelivery.withLock { $0 }
        delivery?.cancel()
        await Self.run(atMost: .seconds(5)) { [operations] in
            await delivery?.value
            await operations.deliverLogs()
        }
        await notifier.stop()
        await accessLog?.close()
    }

    /// Returns when the work is done, or the time is over: then it goes on by itself.
    private static func run(atMost limit: Duration, _ work: @escaping @Sendable () async -> Void) async {
        let (end, ending) = AsyncStream<Void>.makeStream()
        Task {
            await work()
            ending.finish()
        }
        let timer = Task {
            try? await Task.sleep(for: limit)
            ending.finish()
        }
        for await _ in end {}
        timer.cancel()
    }

    private static func notifier(_ context: ProcessContext, _ master: MasterKey?) throws -> Notifier {
        let configuration = context.configuration
        return try Notifier(
            cluster: context.cluster,
            settings: NotificationSettings(
                directory: context.dataDirectory + "/webhooks",
                queueBytesMax: configuration[GatewaySettings.webhookQueueMax].bytes,
                timeout: configuration[GatewaySettings.webhookTimeout],
                authority: configuration[GatewaySettings.webhookAuthority]),
            gateway: context.name.rawValue, metrics: NotificationMetrics(context.metrics), logger: context.logger,
            unseal: { sealed in try? master?.unseal(sealed) })
    }

    private static func operations(
        _ context: ProcessContext, _ notifier: Notifier, _ refresh: SharedRefresh
    ) -> S3Operations {
        var options = AccessOptions()
        options.hedgeShare = Double(context.configuration[GatewaySettings.hedgeShare]) / 100
        options.shortCircuitReads = context.configuration[GatewaySettings.shortCircuitReads]
        let registers = RegisterClient(
            bus: context.bus, cluster: context.cluster, writer: context.writer, logger: context.logger,
            metrics: context.metrics, options: options)
        let usage = UsageSurvey(bus: context.bus, cluster: context.cluster)
        return S3Operations(
            storage: ClusterObjectStorage(
                registers: registers, chunks: ChunkClient(registers), lister: Lister(registers)),
            buckets: BucketDirectory(cluster: context.cluster, changes: changes(context), refresh: refresh),
            encryptionKeys: EncryptionKeys(
                master: context.masterKey.flatMap(MasterKey.init(bytes:)), cluster: context.cluster,
                refresh: refresh),
            quotas: Quotas(cluster: context.cluster) { try await usage.take($0, timeout: .seconds(3)) },
            notifier: notifier,
            logger: context.logger, metrics: context.metrics,
            listCoversObjects: context.configuration[GatewaySettings.bucketListCoversObjects], clock: milliseconds,
            lifecycle: LifecycleClock(day: context.configuration[GatewaySettings.lifecycleDay]))
    }

    /// Since 1970.
    @Sendable private static func milliseconds() -> Int64 {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return Int64(now.tv_sec) * 1000 + Int64(now.tv_nsec) / 1_000_000
    }
}
