import Glibc
import Threads

/// Begins requests at a set rate, however long earlier ones take. Latency counts from when a request was due.
final class OpenLoop: Sendable {
    private struct State {
        var underWay = 0
        var latencies = Latencies()
        var failure: (any Error)?
    }

    private static let threads = 4

    private let perSecond: Int
    private let request: Outstanding.Request
    private let state = Monitor(State())

    init(perSecond: Int, _ request: @escaping Outstanding.Request) {
        self.perSecond = perSecond
        self.request = request
    }

    /// Until the time is over; waits for the answers.
    func run(seconds: Double) throws -> Outstanding.Outcome {
        let begin = ContinuousClock.now
        let count = Int(seconds * Double(perSecond))
        // A request may block the thread that begins it: the others go on.
        let workers = (0..<Self.threads).map { first in
            BlockingThread(name: "benchmark-\(first)") {
                for number in stride(from: first, to: count, by: Self.threads) { self.start(number, begin) }
            }
        }
        for worker in workers { worker.join() }
        return try state.waiting { state, waiter in
            while state.pointee.underWay > 0, state.pointee.failure == nil { waiter.wait() }
            if let failure = state.pointee.failure { throw failure }
            let elapsed = (ContinuousClock.now - begin) / .seconds(1)
            return Outstanding.Outcome(seconds: elapsed, latencies: state.pointee.latencies)
        }
    }

    private func start(_ number: Int, _ begin: ContinuousClock.Instant) {
        let due = begin + .seconds(Double(number) / Double(perSecond))
        let early = (due - .now) / .microseconds(1)
        if early > 0 { usleep(UInt32(early)) }
        state.withLock { $0.underWay += 1 }
        do {
            try request(number) {
                let latency = (ContinuousClock.now - due) / .seconds(1)
                self.finish { $0.latencies.add(latency) }
            }
        } catch {
            finish { $0.failure = error }
        }
    }

    private func finish(_ body: (inout State) -> Void) {
        state.withLock { state in
            body(&state)
            state.underWay -= 1
        }
        state.wake()
    }
}
