import Synchronization

/// A task that does something from time to time, and at once when it is woken. Wakes that come while it works count as
/// one.
final class RepeatedWork: Sendable {
    private let wakes: AsyncStream<Void>
    private let wakeUp: AsyncStream<Void>.Continuation
    private let task = Mutex<Task<Void, Never>?>(nil)

    init() { (wakes, wakeUp) = AsyncStream.makeStream(bufferingPolicy: .bufferingNewest(1)) }

    func wake() { wakeUp.yield() }

    /// - Parameter work: returns after how long it wants to be called again at the latest; nil: after `interval`.
    func start(every interval: Duration, _ work: @escaping @Sendable () async -> Duration?) {
        let wakes = self.wakes
        let task = Task {
            var iterator = wakes.makeAsyncIterator()
            while !Task.isCancelled {
                let wanted = await work() ?? interval
                // Several repair processes do not start all at once.
                let pause = max(min(wanted, interval), .seconds(1)) * Double.random(in: 0.9...1.1)
                let timer = Task {
                    try? await Task.sleep(for: pause)
                    if !Task.isCancelled { self.wake() }
                }
                guard await iterator.next() != nil else { return timer.cancel() }
                timer.cancel()
            }
        }
        self.task.withLock { $0 = task }
    }

    func stop() async {
        wakeUp.finish()
        let task = self.task.withLock { $0 }
        task?.cancel()
        await task?.value
    }
}
