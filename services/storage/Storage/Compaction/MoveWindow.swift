import Threads

/// Copies that are on their way to the log, bounded: a foreground sync has little to carry with it.
final class MoveWindow: Sendable {
    private struct State {
        var bytes = 0
        var records = 0
        var failure: StorageError?
    }

    private static let recordsMax = 1024

    private let state = Monitor(State())
    private let sizeMax: Int

    init(sizeMax: Int) { self.sizeMax = sizeMax }

    var records: Int { state.withLock { $0.records } }

    /// Waits until there is room. Returns whether the window is full now: then somebody should sync. Throws what failed.
    func enter(_ bytes: Int) throws(StorageError) -> Bool {
        try state.waiting { state, waiter throws(StorageError) in
            while state.pointee.records > 0,
                state.pointee.bytes + bytes > sizeMax || state.pointee.records >= Self.recordsMax
            {
                waiter.wait()
            }
            if let failure = state.pointee.failure { throw failure }
            state.pointee.bytes += bytes
            state.pointee.records += 1
            return state.pointee.bytes * 2 > sizeMax || state.pointee.records * 2 > Self.recordsMax
        }
    }

    /// They are durable and in the index, or never will be.
    func leave(_ bytes: Int, _ failure: StorageError?) {
        state.withLock { state in
            state.bytes -= bytes
            state.records -= 1
            state.failure = state.failure ?? failure
        }
        state.wake()
    }

    /// Waits until nothing is on its way. Throws what failed.
    func drain() throws(StorageError) {
        try state.waiting { state, waiter throws(StorageError) in
            while state.pointee.records > 0 { waiter.wait() }
            if let failure = state.pointee.failure { throw failure }
        }
    }
}
