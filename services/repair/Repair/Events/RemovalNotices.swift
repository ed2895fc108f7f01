import Logging
import ObjectAccess
import Observability
import Synchronization
import Wire

/// Tells webhooks of what this process removes, at least once.
///
/// A notice is durable before its removal begins; the event goes to a gateway, which keeps it, when the removal is decided;
/// then the notice goes. What was left by a failure or a death is judged by the registers themselves in the next round. See
/// docs/internals/notifications.md.
final class RemovalNotices: Sendable {
    /// Encoded as JSON for the administrator.
    struct Status: Codable, Sendable, Equatable {
        /// Removals of which it is not known yet whether they took effect, and events that no gateway has taken yet.
        var waiting = 0
        /// Events since the start: that a gateway has taken, and that it had no room or no webhook for.
        var told = 0
        var dropped = 0
        var lastError = ""
    }

    /// Too many events wait for a gateway. What is to be removed stays until they are gone.
    struct Backlog: Error, CustomStringConvertible {
        var waiting: Int
        var description: String { "\(waiting) removals wait for a gateway that takes their events" }
    }

    enum Ending: Sendable {
        case removed(RemovalNotice.Removed)
        /// It has not happened, and will not.
        case nothing
        case unknown
    }

    typealias Ended = (notice: RemovalNotice, ending: Ending)

    static let batchMax = 100
    /// A request that was under way when its sender died is expired by then: what is there now stays.
    static let settlingMilliseconds: Int64 = 60_000

    private struct State {
        /// Removals that somebody is at, by the notice's id.
        var inFlight: Set<String> = []
        /// Removals that have happened and whose events no gateway has taken.
        var removed: [String: RemovalNotice.Removed] = [:]
        /// In flight though an earlier notice of the same version was not settled: that removal may be why nothing is left.
        var doubtful: Set<String> = []
        var status = Status()
    }

    private let store: NoticeStore
    private let judge: RemovalJudge
    private let waitingMax: Int
    private let gateways: any EventTaking
    private let told: Counter
    private let waiting: Gauge
    private let logger: Logger
    private let now: @Sendable () -> Int64
    private let state = Mutex(State())

    /// - Parameter waitingMax: when so many wait, nothing more is removed that is to be told of.
    init(
        store: NoticeStore, registers: any RegisterStoring, gateways: any EventTaking, metrics: MetricsRegistry,
        logger: Logger, waitingMax: Int = 10_000,
        now: @escaping @Sendable () -> Int64 = { WallClock.milliseconds }
    ) {
        self.store = store
        self.gateways = gateways
        self.logger = logger
        self.now = now
        self.waitingMax = waitingMax
        judge = RemovalJudge(registers: registers)
        told = metrics.counter(
            "martlet_repair_events_total", help: "Events of removals by repair that a gateway has taken")
        waiting = metrics.gauge(
            "martlet_repair_events_waiting", help: "Removals by repair that are to be told of and were not yet")
    }

    var status: Status { state.withLock { $0.status } }

    // MARK: - Around a removal

    /// Returns when the notices are durable: the removals may begin. Each must be ended.
    func begin(_ notices: [RemovalNotice]) async throws {
        guard !notices.isEmpty else { return }
        let ids = notices.map(\.id)
        try state.withLock { state in
            guard state.status.waiting < waitingMax else { throw Backlog(waiting: state.status.waiting) }
            state.inFlight.formUnion(ids)
        }
        do {
            let known = try await store.add(notices)
            state.withLock { $0.doubtful.formUnion(known) }
        } catch {
            state.withLock { $0.inFlight.subtract(ids) }
            throw error
        }
    }

    /// Returns when gateways have what is to be told, or when it is left to the next round. Never fails: what happened has
    /// happened.
    func end(_ ended: [Ended]) async {
        guard !ended.isEmpty else { return }
        var (over, removed): ([RemovalNotice], [(RemovalNotice, RemovalNotice.Removed)]) = ([], [])
        for (notice, ending) in ended {
            switch ending {
            case .removed(let result): removed.append((notice, result))
            case .nothing where state.withLock({ !$0.doubtful.contains(notice.id) }): over.append(notice)
            case .nothing, .unknown: break
            }
        }
        over += await hand(over: removed)
        await forget(over)
        state.withLock { state in
            let ids = ended.map(\.notice.id)
            state.inFlight.subtract(ids)
            state.doubtful.subtract(ids)
            state.status.waiting += ended.count - over.count
            waiting.set(state.status.waiting)
        }
    }

    /// Carries out one removal and tells of it.
    /// - Parameters:
    ///   - notice: nil: nobody wants to know.
    ///   - removal: nil: there was nothing to remove.
    /// - Returns: whether something was removed.
    func during(_ notice: RemovalNotice?, _ removal: () async throws -> RemovalNotice.Removed?) async throws -> Bool {
        guard let notice else { return try await removal() != nil }
        try await begin([notice])
        do {
            let removed = try await removal()
            await end([(notice, removed.map(Ending.removed) ?? .nothing)])
            return removed != nil
        } catch {
            await end([(notice, .unknown)])
            throw error
        }
    }

    // MARK: - What was left

    /// Finds out about removals whose end nobody saw, and tells of what was not told yet.
    func round(_ handle: TaskHandle = TaskHandle()) async throws -> TaskOutcome {
        // Whoever is at one now tells of it, though it may have ended before its turn comes here.
        let busy = state.withLock { $0.inFlight }
        let notices = try await store.load(limit: waitingMax).notices
        let others = state.withLock { state in
            notices.filter { !busy.contains($0.id) && !state.inFlight.contains($0.id) }
        }
        var removed: [(RemovalNotice, RemovalNotice.Removed)] = []
        for notice in others where state.withLock({ !$0.inFlight.contains(notice.id) }) {
            try await handle.admit(objects: 1)
            handle.update { $0.done += 1 }
            do {
                var result = state.withLock { $0.removed[notice.id] }
                if result == nil { result = try await judge.verdict(notice) }
                if let result {
                    removed.append((notice, result))
                } else if notice.origin.milliseconds + Self.settlingMilliseconds <= now() {
                    await forget([notice])
                }
            } catch {
                handle.update { $0.failures += 1 }
                fail(error)
            }
            if removed.count >= Self.batchMax {
                let taken = await hand(over: removed)
                await forget(taken)
                removed = []
                if taken.isEmpty { break }
            }
        }
        await forget(await hand(over: removed))
        let count = try await store.load(limit: 0).count
        let left = state.withLock { state in
            state.status.waiting = max(0, count - state.inFlight.count)
            waiting.set(state.status.waiting)
            return state.status.waiting
        }
        guard left > 0 else { return .proved("every removal that somebody wants to know of was told") }
        return .unproved("\(left) removals are not told of yet; \(status.lastError)")
    }

    // MARK: - Steps

    /// Returns those that gateways have taken; the others are known to have happened.
    private func hand(over removed: [(RemovalNotice, RemovalNotice.Removed)]) async -> [RemovalNotice] {
        var taken: [RemovalNotice] = []
        for start in stride(from: 0, to: removed.count, by: Self.batchMax) {
            let batch = removed[start..<min(start + Self.batchMax, removed.count)]
            let events = batch.flatMap { $0.events($1) }
            do {
                let dropped = try await gateways.take(events)
                taken += batch.map(\.0)
                told.increment(by: events.count - dropped)
                state.withLock { state in
                    state.status.told += events.count - dropped
                    state.status.dropped += dropped
                    state.status.lastError = ""
                }
            } catch {
                // Gateways that did not take these take no others now.
                state.withLock { state in
                    for (notice, result) in removed[start...] { state.removed[notice.id] = result }
                }
                fail(error)
                break
            }
        }
        return taken
    }

    private func forget(_ notices: [RemovalNotice]) async {
        state.withLock { state in for notice in notices { state.removed[notice.id] = nil } }
        // One that stays is told again.
        do { try await store.remove(notices) } catch { fail(error) }
    }

    private func fail(_ error: any Error) {
        logger.info("an event of a removal waits", metadata: ["error": "\(error)"])
        state.withLock { $0.status.lastError = "\(error)" }
    }

    func close() throws { try store.close() }
}
