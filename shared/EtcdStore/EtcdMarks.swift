import ClusterStore
import Synchronization

/// The marks of one client: each is lent to one transaction at a time.
final class EtcdMarks: Sendable {
    struct Slot: Sendable {
        var number: Int
        /// etcd's revision of the mark, as far as known.
        var revision: UInt64 = 0
    }

    /// Transactions under way at once; more wait.
    static let slots = 16
    static let waitingMax = 1_000

    private struct State {
        var free = (0..<EtcdMarks.slots).map { Slot(number: $0) }
        var waiting: [CheckedContinuation<Slot, Never>] = []
    }

    private let state = Mutex(State())

    func take() async throws(StoreError) -> Slot {
        guard state.withLock({ $0.waiting.count < Self.waitingMax }) else {
            throw .unavailable("too many transactions are waiting")
        }
        return await withCheckedContinuation { continuation in
            let slot: Slot? = state.withLock { state in
                if let slot = state.free.popLast() { return slot }
                state.waiting.append(continuation)
                return nil
            }
            if let slot { continuation.resume(returning: slot) }
        }
    }

    func giveBack(_ slot: Slot) {
        let next: CheckedContinuation<Slot, Never>? = state.withLock { state in
            guard !state.waiting.isEmpty else {
                state.free.append(slot)
                return nil
            }
            return state.waiting.removeFirst()
        }
        next?.resume(returning: slot)
    }
}
