import ClusterState
import Foundation
import Logging
import S3Protocol
import Synchronization

/// Takes events to one webhook, in order, one at a time; what fails is tried again until it is delivered or the webhook is
/// removed.
final class WebhookDelivery: Sendable {
    /// Where to, and with what; nil: the webhook was removed.
    typealias Target = @Sendable () -> (address: WebhookAddress, authorization: String?)?

    private struct State {
        var delivered = 0
        var failed = 0
        var lastError = ""
        var deliveredAt = ""
        var loop: Task<Void, Never>?
    }

    private static let firstPause = Duration.milliseconds(500)
    static let pauseMax = Duration.seconds(30)

    let name: String
    let queue: EventQueue
    private let client: WebhookClient
    private let target: Target
    private let metrics: NotificationMetrics
    private let logger: Logger
    private let state = Mutex(State())

    init(
        name: String, queue: EventQueue, client: WebhookClient, metrics: NotificationMetrics, logger: Logger,
        target: @escaping Target
    ) {
        self.name = name
        self.queue = queue
        self.client = client
        self.metrics = metrics
        self.logger = logger
        self.target = target
    }

    func start() {
        let loop = Task { await self.run() }
        state.withLock { $0.loop = loop }
    }

    /// What waits stays in the queue.
    func stop() async {
        queue.close()
        let loop = state.withLock { $0.loop }
        loop?.cancel()
        client.close()
        await loop?.value
    }

    var report: WebhookQueueReport {
        let standing = queue.standing
        return state.withLock { state in
            WebhookQueueReport(
                webhook: name, queued: standing.count, queuedBytes: standing.bytes, delivered: state.delivered,
                failed: state.failed, dropped: standing.dropped,
                lastError: state.lastError.isEmpty ? standing.lastError : state.lastError,
                deliveredAt: state.deliveredAt)
        }
    }

    private func run() async {
        for await _ in queue.bell {
            while !Task.isCancelled, let (number, event) = await queue.first() {
                guard await deliver(event) else { return }
                await queue.remove(through: number)
            }
        }
    }

    /// Returns when the event was delivered; false: it will not be any more.
    private func deliver(_ event: [UInt8]) async -> Bool {
        var failures = 0
        while !Task.isCancelled {
            guard let (address, authorization) = target() else { return false }
            do {
                try await client.post(event, to: address, authorization: authorization)
                metrics.delivered.increment()
                state.withLock { state in
                    state.delivered += 1
                    state.lastError = ""
                    state.deliveredAt = HTTPDate.iso8601(milliseconds: Int64(Date().timeIntervalSince1970 * 1000))
                }
                return true
            } catch {
                if Task.isCancelled { return false }
                failures += 1
                note(error, failures)
                try? await Task.sleep(for: Self.pause(after: failures) * Double.random(in: 0.9...1.1))
            }
        }
        return false
    }

    private func note(_ error: any Error, _ failures: Int) {
        metrics.failed.increment()
        state.withLock { state in
            state.failed += 1
            state.lastError = "\(error)"
        }
        guard failures == 1 else { return }
        logger.warning(
            "a webhook cannot be reached; its events wait", metadata: ["webhook": "\(name)", "error": "\(error)"])
    }

    /// Doubles with each failure in a row.
    static func pause(after failures: Int) -> Duration {
        min(pauseMax, firstPause * (1 << min(max(0, failures - 1), 10)))
    }
}
