import Threads

/// Keeps a number of requests under way: whenever one is answered, one of a few threads begins the next.
final class Outstanding: Sendable {
    /// `done` is to be called once, from any thread.
    typealias Request = @Sendable (_ number: Int, _ done: @escaping @Sendable () -> Void) throws -> Void

    struct Outcome: Sendable {
        var seconds: Double
        var latencies: Latencies
        var perSecond: Double { Double(latencies.count) / seconds }
    }

    private struct State {
        var free: Int
        var begun = 0
        var latencies = Latencies()
        var failure: (any Error)?
    }

    private let width: Int
    private let state: Monitor<State>
    private let request: Request

    init(width: Int, _ request: @escaping Request) {
        self.width = width
        self.request = request
        state = Monitor(State(free: width))
    }

    /// Until so many have begun or the time is over; waits for the answers.
    func run(count: Int = .max, seconds: Double = .infinity, threads: Int = 4) throws -> Outcome {
        let begin = ContinuousClock.now
        let workers = (0..<min(threads, width)).map { number in
            BlockingThread(name: "benchmark-\(number)") { self.work(count, seconds, begin) }
        }
        for worker in workers { worker.join() }
        return try state.waiting { state, waiter in
            while state.pointee.free < width, state.pointee.failure == nil { waiter.wait() }
            if let failure = state.pointee.failure { throw failure }
            let elapsed = (ContinuousClock.now - begin) / .seconds(1)
            return Outcome(seconds: elapsed, latencies: state.pointee.latencies)
        }
    }

    private func work(_ count: Int, _ seconds: Double, _ begin: ContinuousClock.Instant) {
        while (ContinuousClock.now - begin) / .seconds(1) < seconds, let number = next(count) {
            let start = ContinuousClock.now
            do {
                try request(number) {
                    let latency = (ContinuousClock.now - start) / .seconds(1)
                    self.state.withLock { state in
                        state.latencies.add(latency)
                        state.free += 1
                    }
                    self.state.wake()
                }
            } catch {
                state.withLock { $0.failure = error }
                state.wake()
            }
        }
    }

    /// nil: enough.
    private func next(_ count: Int) -> Int? {
        state.waiting { state, waiter in
            while state.pointee.free == 0, state.pointee.failure == nil { waiter.wait() }
            guard state.pointee.begun < count, state.pointee.failure == nil else { return nil }
            state.pointee.free -= 1
            state.pointee.begun += 1
            return state.pointee.begun - 1
        }
    }
}
