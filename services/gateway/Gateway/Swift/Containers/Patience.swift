import Synchronization

/// What a task comes to, if it does so in time; nil: it goes on, or has failed.
///
/// Not by a group of tasks: that would wait for the slower one.
func outcome<Value: Sendable, Failure>(of task: Task<Value, Failure>, within patience: Duration) async -> Value? {
    let first = FirstAnswer<Value>()
    return await withCheckedContinuation { continuation in
        first.expect(continuation)
        let timer = Task {
            try? await Task.sleep(for: patience)
            first.answer(nil)
        }
        Task {
            first.answer(try? await task.value)
            timer.cancel()
        }
    }
}

/// Resumes whoever waits once, with the first of several answers.
private final class FirstAnswer<Value: Sendable>: Sendable {
    private let waiting = Mutex<CheckedContinuation<Value?, Never>?>(nil)

    func expect(_ continuation: CheckedContinuation<Value?, Never>) { waiting.withLock { $0 = continuation } }

    func answer(_ value: Value?) {
        let continuation = waiting.withLock { waiting in
            defer { waiting = nil }
            return waiting
        }
        continuation?.resume(returning: value)
    }
}
