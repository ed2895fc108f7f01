/// The state of a worker that has a thread of its own and is told to stop.
public protocol ThreadedState {
    var isStopping: Bool { get set }
    var thread: BlockingThread? { get set }
}

extension Monitor where State: ThreadedState {
    /// Starts the thread, unless there is one or the worker was stopped before.
    public func launch(name: String, _ body: @escaping @Sendable () -> Void) {
        withLock { state in
            guard state.thread == nil, !state.isStopping else { return }
            state.thread = BlockingThread(name: name, body)
        }
    }

    /// Tells the thread to stop and waits until it has ended.
    public func stop() {
        let thread = withLock { state in
            state.isStopping = true
            defer { state.thread = nil }
            return state.thread
        }
        wake()
        thread?.join()
    }
}
