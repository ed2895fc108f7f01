/// A few threads that may block, and a bounded queue before them.
public final class WorkerPool: Sendable {
    public typealias Job = @Sendable () -> Void

    fileprivate struct State {
        var jobs: [Job] = []
        var head = 0
        var idle = 0
        var isStopping = false
        var threads: [BlockingThread] = []
    }

    private let state = Monitor(State())
    private let queueMax: Int

    public init(queueMax: Int) { self.queueMax = queueMax }

    /// Jobs that no thread has begun.
    public var waiting: Int { state.withLock { $0.jobs.count - $0.head } }

    /// Once.
    public func start(threads count: Int, name: String) {
        let threads = (0..<count).map { _ in BlockingThread(name: name) { self.run() } }
        state.withLock { $0.threads = threads }
    }

    /// False when the queue is full or the pool stops: the job will not run.
    public func submit(_ job: @escaping Job) -> Bool {
        let (isAccepted, wakes) = state.withLock { state -> (Bool, Bool) in
            guard !state.isStopping, state.jobs.count - state.head < queueMax else { return (false, false) }
            state.jobs.append(job)
            return (true, state.idle > 0)
        }
        if wakes { state.wakeOne() }
        return isAccepted
    }

    /// Runs what waits, then ends the threads.
    public func stop() {
        for thread in end() { thread.join() }
    }

    /// The same without waiting for it: also for one of its own threads to call.
    @discardableResult
    public func end() -> [BlockingThread] {
        let threads = state.withLock { state in
            state.isStopping = true
            defer { state.threads = [] }
            return state.threads
        }
        state.wake()
        return threads
    }

    private func run() {
        while let job = next() { job() }
    }

    private func next() -> Job? {
        state.waiting { state, waiter in
            while state.pointee.head == state.pointee.jobs.count {
                if state.pointee.isStopping { return nil }
                state.pointee.idle += 1
                waiter.wait()
                state.pointee.idle -= 1
            }
            defer { state.pointee.advance() }
            return state.pointee.jobs[state.pointee.head]
        }
    }
}

extension WorkerPool.State {
    /// Past the job at the head; frees what was done when it is worth it.
    fileprivate mutating func advance() {
        jobs[head] = {}
        head += 1
        if head == jobs.count || head > 1024 {
            jobs.removeFirst(head)
            head = 0
        }
    }
}
