import ClusterState
import Foundation
import Logging
import MessageBus
import NIOPosix
import Observability
import S3Protocol
import Synchronization
import Wire

/// How notifications of this gateway are kept and sent.
struct NotificationSettings: Sendable {
    /// Where queues are kept: a folder for each webhook.
    var directory: String
    /// Of the files of one webhook's queue.
    var queueBytesMax: Int
    var timeout: Duration
    /// See ``OutgoingConnection/trust(authority:)``.
    var authority = ""
}

struct NotificationMetrics: Sendable {
    let queued: Counter
    let dropped: Counter
    let delivered: Counter
    let failed: Counter

    init(_ metrics: MetricsRegistry) {
        queued = metrics.counter(
            "martlet_notification_events_total", help: "Events of buckets that were put into a webhook's queue")
        dropped = metrics.counter(
            "martlet_notification_dropped_total", help: "Events that no queue had room for, or whose webhook is gone")
        delivered = metrics.counter("martlet_notification_delivered_total", help: "Events that a webhook has taken")
        failed = metrics.counter("martlet_notification_failures_total", help: "Attempts to deliver that failed")
    }
}

/// Puts what happens in buckets into the queues of the webhooks that their configurations name. See
/// docs/internals/notifications.md.
final class Notifier: Sendable {
    private struct State {
        var deliveries: [String: Task<WebhookDelivery, any Error>] = [:]
        var configurations: [[UInt8]: NotificationConfiguration] = [:]
        var isStopped = false
    }

    private static let configurationsMax = 256

    private let cluster: any ClusterViewing
    private let settings: NotificationSettings
    /// Opens a sealed token.
    private let unseal: @Sendable ([UInt8]) -> [UInt8]?
    private let gateway: String
    private let metrics: NotificationMetrics
    private let logger: Logger
    private let threads = NIOThreadPool(numberOfThreads: 1)
    private let client: @Sendable () -> WebhookClient
    private let state = Mutex(State())

    init(
        cluster: any ClusterViewing, settings: NotificationSettings, gateway: String, metrics: NotificationMetrics,
        logger: Logger, unseal: @escaping @Sendable ([UInt8]) -> [UInt8]?
    ) throws {
        self.cluster = cluster
        self.settings = settings
        self.unseal = unseal
        self.gateway = gateway
        self.metrics = metrics
        self.logger = logger
        // A file that was named must be good; a system without certificates can still send over plain HTTP.
        let tls =
            settings.authority.isEmpty
            ? try? OutgoingConnection.trust(authority: "") : try OutgoingConnection.trust(authority: settings.authority)
        client = { [timeout = settings.timeout] in WebhookClient(tls: tls, timeout: timeout) }
    }

    /// Goes on with what is on the disk.
    func start() throws {
        threads.start()
        let directory = settings.directory
        guard mkdir(directory, 0o700) == 0 || errno == EEXIST else {
            throw EventLogFailure(description: "cannot make \(directory): \(String(cString: strerror(errno)))")
        }
        for name in try FileManager.default.contentsOfDirectory(atPath: directory) { _ = delivery(name) }
    }

    func stop() async {
        for delivery in end({ _ in true }) { await (try? delivery.value)?.stop() }
        try? await threads.shutdownGracefully()
    }

    /// Webhooks were removed: nobody wants what waits for them.
    func follow(_ view: ClusterView) {
        guard view.revision > 0 else { return }
        let ended = end({ view.webhooks[$0] == nil }, isStopping: false)
        guard !ended.isEmpty else { return }
        Task {
            for task in ended {
                guard let delivery = try? await task.value else { continue }
                await delivery.stop()
                logger.notice("a webhook was removed, and its queue", metadata: ["webhook": "\(delivery.name)"])
                try? FileManager.default.removeItem(atPath: path(delivery.name))
            }
        }
    }

    private func end(
        _ isOver: (String) -> Bool, isStopping: Bool = true
    ) -> [Task<WebhookDelivery, any Error>] {
        state.withLock { state in
            if isStopping { state.isStopped = true }
            let names = state.deliveries.keys.filter(isOver)
            return names.compactMap { state.deliveries.removeValue(forKey: $0) }
        }
    }

    var report: WebhookQueuesReport {
        get async {
            var queues: [WebhookQueueReport] = []
            for task in state.withLock({ Array($0.deliveries.values) }) {
                if let delivery = try? await task.value { queues.append(delivery.report) }
            }
            return WebhookQueuesReport(queues: queues.sorted { $0.webhook < $1.webhook })
        }
    }

    // MARK: - Events

    /// Returns when the event is durable in the queue of every webhook that wants it. Never fails: what happened has
    /// happened.
    func publish(_ event: @autoclosure () -> ObjectEvent, _ call: S3Call, nowMilliseconds: Int64) async {
        guard let document = call.bucket.document(Self.documentName), let configuration = parsed(document) else {
            return
        }
        let event = event()
        for rule in configuration.rules where rule.concerns(event.type, event.key) {
            guard let webhook = rule.webhook else { continue }
            let message = EventMessage(event, rule: rule.id, EventOrigin(call, nowMilliseconds: nowMilliseconds))
            await put(message.bytes, for: webhook)
        }
    }

    /// Tells the webhooks that a bucket has named them.
    func test(_ configuration: NotificationConfiguration, _ call: S3Call, nowMilliseconds: Int64) async {
        let message = TestEventMessage(
            bucket: call.bucket.name, requestID: call.request.id, host: gateway, nowMilliseconds: nowMilliseconds)
        for webhook in Set(configuration.rules.compactMap(\.webhook)) { await put(message.bytes, for: webhook) }
    }

    /// Takes events of another process. Returns how many no queue has room for, or have no webhook any more; the others are
    /// durable.
    /// - Throws: ``BusError``: this gateway cannot take them, another one may.
    func take(_ events: [WebhookEvent]) async throws(BusError) -> Int {
        let unknown = events.contains { cluster.view.webhooks[$0.webhook] == nil }
        // Perhaps a webhook that is so new that only the manager knows it.
        if unknown { try? await cluster.refresh() }
        var dropped = 0
        for (webhook, events) in Dictionary(grouping: events, by: \.webhook) {
            do {
                dropped += try await keep(events.map(\.message), for: webhook)
            } catch {
                throw BusError(.unavailable, "events for \(webhook) cannot be kept: \(error)")
            }
        }
        return dropped
    }

    static let documentName = "notification"

    private func parsed(_ document: [UInt8]) -> NotificationConfiguration? {
        if let known = state.withLock({ $0.configurations[document] }) { return known }
        guard let configuration = try? NotificationConfiguration(parsing: document) else { return nil }
        state.withLock { state in
            if state.configurations.count >= Self.configurationsMax { state.configurations.removeAll() }
            state.configurations[document] = configuration
        }
        return configuration
    }

    /// Returns how many were dropped.
    /// - Throws: there is no queue: the process stops, or its disk fails.
    private func keep(_ messages: [[UInt8]], for webhook: String) async throws -> Int {
        let isKnown = cluster.view.webhooks[webhook] != nil
        let kept = isKnown ? try await delivery(webhook).value.queue.append(messages) : 0
        metrics.queued.increment(by: kept)
        metrics.dropped.increment(by: messages.count - kept)
        return messages.count - kept
    }

    private func put(_ message: [UInt8], for webhook: String) async {
        do { _ = try await keep([message], for: webhook) } catch { metrics.dropped.increment() }
    }

    // MARK: - Queues

    private func path(_ webhook: String) -> String { settings.directory + "/" + webhook }

    private func delivery(_ webhook: String) -> Task<WebhookDelivery, any Error> {
        state.withLock { state in
            if let present = state.deliveries[webhook] { return present }
            guard !state.isStopped else { return Task { throw CancellationError() } }
            let task = Task { try await self.open(webhook) }
            state.deliveries[webhook] = task
            return task
        }
    }

    private func open(_ webhook: String) async throws -> WebhookDelivery {
        do {
            let (path, bytesMax, threads) = (path(webhook), settings.queueBytesMax, threads)
            let queue = try await threads.runIfActive {
                EventQueue(try EventLog(directory: path), bytesMax: bytesMax, threads: threads)
            }
            let delivery = WebhookDelivery(
                name: webhook, queue: queue, client: client(), metrics: metrics, logger: logger
            ) { [weak self] in self?.target(webhook) }
            delivery.start()
            return delivery
        } catch {
            logger.error(
                "a queue of events cannot be opened", metadata: ["webhook": "\(webhook)", "error": "\(error)"])
            // Perhaps next time.
            state.withLock { $0.deliveries[webhook] = nil }
            throw error
        }
    }

    private func target(_ webhook: String) -> (address: WebhookAddress, authorization: String?)? {
        guard let record = cluster.view.webhooks[webhook], let address = WebhookAddress(record.url) else { return nil }
        let token = record.sealedToken.isEmpty ? nil : unseal(record.sealedToken)
        return (address, token.map { Self.authorization(String(decoding: $0, as: UTF8.self)) })
    }

    /// A token alone is a bearer's; with a scheme it is sent as it is.
    static func authorization(_ token: String) -> String { token.contains(" ") ? token : "Bearer " + token }
}
