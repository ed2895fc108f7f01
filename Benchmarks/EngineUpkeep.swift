import Storage
import Synchronization
import Threads

/// What the process of a storage node does for its engine once a second.
final class EngineUpkeep: Sendable {
    private let state = Monitor(false)
    private let thread = Mutex<BlockingThread?>(nil)

    init(_ engine: StorageEngine) {
        let state = state
        thread.withLock {
            $0 = BlockingThread(name: "upkeep") {
                while state.waiting({ isStopping, waiter in
                    if !isStopping.pointee { _ = waiter.wait(milliseconds: 1000) }
                    return !isStopping.pointee
                }) { engine.maintain() }
            }
        }
    }

    func stop() {
        state.withLock { $0 = true }
        state.wake()
        thread.withLock { $0?.join() }
    }
}

/// Numbers of writes, each once.
final class WriteCounter: Sendable {
    private let last: Atomic<Int>

    /// The first is the one after `used`.
    init(_ used: Int) { last = Atomic(used) }

    func next() -> Int { last.wrappingAdd(1, ordering: .relaxed).newValue }
}
