import S3Protocol
import Synchronization

/// Bounds the memory that bodies hold, over all connections. First come, first served.
final class MemoryBudget: Sendable {
    private struct Waiter {
        var id: UInt64
        var bytes: Int
        var deadline: ContinuousClock.Instant
        var continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var free: Int
        var waiters: [Waiter] = []
        var nextID: UInt64 = 0
        var cancelled: Set<UInt64> = []
    }

    private let limit: Int
    private let patience: Duration
    private let state: Mutex<State>

    /// - Parameter patience: How long a request waits for memory before it is told to slow down.
    init(limit: Int, patience: Duration) {
        self.limit = limit
        self.patience = patience
        state = Mutex(State(free: limit))
    }

    var free: Int { state.withLock { $0.free } }

    /// Requests that wait.
    var waiting: Int { state.withLock { $0.waiters.count } }

    /// Takes a share, as soon as there is one; answers how much is to be given back with ``release(_:)``.
    func reserve(_ bytes: Int) async throws(S3Error) -> Int {
        let bytes = min(bytes, limit)
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        let granted = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let answer: Bool? = state.withLock { state in
                    if state.cancelled.remove(id) != nil { return false }
                    if state.waiters.isEmpty, state.free >= bytes {
                        state.free -= bytes
                        return true
                    }
                    let deadline = ContinuousClock.now + patience
                    state.waiters.append(Waiter(id: id, bytes: bytes, deadline: deadline, continuation: continuation))
                    return nil
                }
                if let answer { continuation.resume(returning: answer) }
            }
        } onCancel: {
            cancel(id)
        }
        state.withLock { _ = $0.cancelled.remove(id) }
        guard granted else { throw S3Error(.slowDown) }
        return bytes
    }

    func release(_ bytes: Int) {
        let served = state.withLock { state in
            state.free += bytes
            return Self.serve(&state)
        }
        for waiter in served { waiter.continuation.resume(returning: true) }
    }

    /// Fails those that have waited too long. Called about once a second.
    func expire(now: ContinuousClock.Instant = .now) {
        let (late, served) = state.withLock { state in
            let late = state.waiters.filter { $0.deadline <= now }
            state.waiters.removeAll { $0.deadline <= now }
            return (late, Self.serve(&state))
        }
        for waiter in late { waiter.continuation.resume(returning: false) }
        for waiter in served { waiter.continuation.resume(returning: true) }
    }

    private func cancel(_ id: UInt64) {
        let (waiter, served) = state.withLock { state -> (Waiter?, [Waiter]) in
            guard let index = state.waiters.firstIndex(where: { $0.id == id }) else {
                // Either not waiting yet or already served.
                state.cancelled.insert(id)
                return (nil, [])
            }
            let waiter = state.waiters.remove(at: index)
            return (waiter, Self.serve(&state))
        }
        waiter?.continuation.resume(returning: false)
        for waiter in served { waiter.continuation.resume(returning: true) }
    }

    private static func serve(_ state: inout State) -> [Waiter] {
        var served: [Waiter] = []
        while let first = state.waiters.first, first.bytes <= state.free {
            state.free -= first.bytes
            served.append(state.waiters.removeFirst())
        }
        return served
    }
}
