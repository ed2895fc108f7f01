import Logging
import MessageBus
import Model
import ObjectAccess
import Synchronization
import Wire

/// Follows the hints that one storage node keeps and delivers them.
final class HintFollower: Sendable {
    /// What the hints of a node look like from outside.
    struct Status: Sendable {
        var queued: UInt64 = 0
        /// Since the start.
        var delivered: UInt64 = 0
        /// When the oldest hint was noted, by the wall clock. nil: there is none.
        var oldestMilliseconds: Int64?
        var isSuspended = false
        var isReachable = true
    }

    struct Settings: Sendable {
        var batch: Int
        var concurrency: Int
    }

    private static let requestTimeout = Duration.seconds(3)

    let source: NodeName
    private let bus: any RequestSending
    private let delivery: HintDelivery
    private let settings: Settings
    private let metrics: ReplicatorMetrics
    private let state: Mutex<(status: Status, backOff: TargetBackOff)>
    private let origin = ContinuousClock.now

    init(
        source: NodeName, bus: any RequestSending, delivery: HintDelivery, settings: Settings,
        metrics: ReplicatorMetrics
    ) {
        self.source = source
        self.bus = bus
        self.delivery = delivery
        self.settings = settings
        self.metrics = metrics
        state = Mutex((Status(), TargetBackOff()))
    }

    var status: Status { state.withLock { $0.status } }
    func suspend(_ isSuspended: Bool) { state.withLock { $0.status.isSuspended = isSuspended } }

    private var now: Duration { origin.duration(to: .now) }

    /// Delivers what can be delivered now. Returns whether hints were delivered, so that another round is worthwhile.
    func round(targets: [NodeName], members: Set<NodeName>) async -> Bool {
        guard !status.isSuspended else { return false }
        guard let first = await fetch(missed: "", after: 0) else {
            state.withLock { $0.status.isReachable = false }
            return false
        }
        state.withLock { state in
            state.status.isReachable = true
            state.status.queued = first.total
            state.status.oldestMilliseconds = first.hints.map(\.notedMilliseconds).min()
        }
        guard first.total > 0 else { return false }
        // Nobody will ever take these.
        _ = await forget(first.hints.filter { !members.contains(NodeName($0.missed)) }.map(\.id))
        var delivered = 0
        for target in targets where state.withLock({ $0.backOff.allows(target, now: now) }) {
            delivered += await drain(target)
        }
        return delivered > 0
    }

    /// All hints for one target, page after page, until it fails.
    private func drain(_ target: NodeName) async -> Int {
        var after: UInt64 = 0
        var delivered = 0
        while !Task.isCancelled, !status.isSuspended,
            let page = await fetch(missed: target.rawValue, after: after), let last = page.hints.last
        {
            after = last.id
            let (done, isReachable) = await deliver(page.hints)
            guard await forget(done) else { break }
            delivered += done.count
            state.withLock { state in
                state.status.queued = page.total - min(page.total, UInt64(done.count))
                state.status.delivered += UInt64(done.count)
                if isReachable { state.backOff.succeeded(target) } else { state.backOff.failed(target, now: now) }
            }
            if !isReachable { break }
        }
        return delivered
    }

    /// Returns the hints that are dealt with.
    private func deliver(_ hints: [Hint]) async -> (done: [UInt64], isReachable: Bool) {
        let delivery = self.delivery
        let source = self.source
        let outcomes = await boundedResults(hints, concurrency: settings.concurrency) {
            (hint) async throws(AccessError) -> HintDelivery.Outcome in await delivery.deliver(hint, keptBy: source)
        }
        var done: [UInt64] = []
        var isReachable = true
        for case (let hint, .success(let outcome)) in zip(hints, outcomes) {
            metrics.count(outcome, isChunk: hint.name == nil)
            switch outcome {
            case .delivered, .obsolete: done.append(hint.id)
            case .unreachable: isReachable = false
            case .failed: break
            }
        }
        return (done, isReachable)
    }

    // MARK: - Requests to the keeper

    private func fetch(missed: String, after: UInt64) async -> FetchHintsReply? {
        try? await bus.request(
            .fetchHints, FetchHintsRequest(after: after, limit: UInt32(settings.batch), missed: missed), to: source,
            timeout: Self.requestTimeout, answer: FetchHintsReply.self
        ).message
    }

    /// A hint that is not forgotten is delivered again, without effect.
    private func forget(_ ids: [UInt64]) async -> Bool {
        guard !ids.isEmpty else { return true }
        let reply = try? await bus.request(
            .forgetHints, ForgetHintsRequest(ids: ids), to: source, timeout: Self.requestTimeout,
            answer: ForgetHintsReply.self)
        return reply != nil
    }
}
