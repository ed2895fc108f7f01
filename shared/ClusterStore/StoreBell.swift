import Synchronization

/// Wakes those who wait for the next change. Closing wakes everybody for good.
final class StoreBell: Sendable {
    private struct State {
        var revision: UInt64
        var closed = false
        var nextID: UInt64 = 0
        var waiting: [UInt64: CheckedContinuation<Void, Never>] = [:]
    }

    private let state: Mutex<State>

    init(revision: UInt64) { state = Mutex(State(revision: revision)) }

    var isClosed: Bool { state.withLock { $0.closed } }

    func ring(_ revision: UInt64) {
        let woken = state.withLock { state in
            state.revision = max(state.revision, revision)
            defer { state.waiting = [:] }
            return Array(state.waiting.values)
        }
        for continuation in woken { continuation.resume() }
    }

    func close() {
        state.withLock { $0.closed = true }
        ring(0)
    }

    /// Returns when there is a revision after this one, the store is closed, or the task is cancelled.
    func wait(after revision: UInt64) async {
        let id = state.withLock { state in
            state.nextID += 1
            return state.nextID
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state in
                    if state.revision > revision || state.closed || Task.isCancelled { return true }
                    state.waiting[id] = continuation
                    return false
                }
                if ready { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.waiting.removeValue(forKey: id) }?.resume()
        }
    }
}
