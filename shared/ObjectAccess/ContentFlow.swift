import Observability
import Synchronization

/// The large content that a process has on its way to replicas: bounded, first come first served.
///
/// A peer of the bus takes so many bytes at a time and refuses more at once. Content that is to be stored waits here instead,
/// and its client with it, so that an upload that was let in does not fail because of those beside it.
final class ContentFlow: Sendable {
    /// Smaller content is not counted: it would wait behind larger. The number of its requests is bounded.
    static let smallMax = 64 << 10

    private struct Waiter {
        let id: UInt64
        let bytes: Int
        let continuation: UnsafeContinuation<Bool, Never>
    }

    private struct State {
        var free: Int
        var waiters: [Waiter] = []
        var lastID: UInt64 = 0

        /// Those who have room now leave the queue; nobody overtakes.
        mutating func admitted() -> [Waiter] {
            var count = 0
            while count < waiters.count, waiters[count].bytes <= free {
                free -= waiters[count].bytes
                count += 1
            }
            defer { waiters.removeFirst(count) }
            return Array(waiters.prefix(count))
        }
    }

    private let limit: Int
    private let patience: Duration
    private let timers: any TimerScheduling
    private let state: Mutex<State>
    private let waits: Counter

    /// - Parameters:
    ///   - limit: bytes on their way at a time.
    ///   - patience: how long content waits before it is refused.
    init(limit: Int, patience: Duration, _ timers: any TimerScheduling, waits: Counter) {
        self.limit = limit
        self.patience = patience
        self.timers = timers
        self.waits = waits
        state = Mutex(State(free: limit))
    }

    /// Contents that wait.
    var waiting: Int { state.withLock { $0.waiters.count } }

    /// Runs `body` when there is room for so many bytes, which they take until it ends. Throws ``AccessError/overloaded`` when
    /// there was none for too long, or the task was cancelled.
    func whileSending<Value: Sendable>(
        _ bytes: Int, _ body: () async throws(AccessError) -> Value
    ) async throws(AccessError) -> Value {
        guard bytes > Self.smallMax else { return try await body() }
        let taken = min(bytes, limit)
        guard await enter(taken) else { throw .overloaded }
        defer { leave(taken) }
        return try await body()
    }

    private func enter(_ bytes: Int) async -> Bool {
        let id: UInt64? = state.withLock { state in
            if state.waiters.isEmpty, state.free >= bytes {
                state.free -= bytes
                return nil
            }
            state.lastID += 1
            return state.lastID
        }
        guard let id else { return true }
        waits.increment()
        return await withTaskCancellationHandler {
            await withUnsafeContinuation { wait(Waiter(id: id, bytes: bytes, continuation: $0)) }
        } onCancel: {
            giveUp(id)
        }
    }

    private func wait(_ waiter: Waiter) {
        // A cancellation either is seen here or comes later, and finds the waiter.
        let (isCancelled, admitted) = state.withLock { state in
            if Task.isCancelled { return (true, [Waiter]()) }
            state.waiters.append(waiter)
            return (false, state.admitted())
        }
        if isCancelled { return waiter.continuation.resume(returning: false) }
        resume(admitted)
        timers.after(patience) { [weak self] in self?.giveUp(waiter.id) }
    }

    private func giveUp(_ id: UInt64) {
        let (waiter, admitted) = state.withLock { state in
            let place = state.waiters.firstIndex { $0.id == id }
            return (place.map { state.waiters.remove(at: $0) }, state.admitted())
        }
        waiter?.continuation.resume(returning: false)
        resume(admitted)
    }

    private func leave(_ bytes: Int) {
        resume(
            state.withLock { state in
                state.free += bytes
                return state.admitted()
            })
    }

    private func resume(_ admitted: [Waiter]) {
        for waiter in admitted { waiter.continuation.resume(returning: true) }
    }
}
