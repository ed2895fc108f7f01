import Storage
import Threads

/// One answer, to wait for.
final class Answer<Value: Sendable>: Sendable {
    private let state = Monitor(Result<Value, StorageError>?.none)

    var completion: Completion<Value> {
        { result in
            self.state.withLock {
                precondition($0 == nil, "answered twice")
                $0 = result
            }
            self.state.wake()
        }
    }

    func wait() -> Result<Value, StorageError> {
        state.waiting { state, waiter in
            while state.pointee == nil { waiter.wait() }
            return state.pointee!
        }
    }
}
