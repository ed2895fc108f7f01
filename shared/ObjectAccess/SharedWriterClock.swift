import Register
import Synchronization

/// The Lamport clock of this process, for all its writers.
final class SharedWriterClock: Sendable {
    private let clock = Mutex(WriterClock())

    func observe(_ counters: UInt64...) {
        clock.withLock { clock in for counter in counters { clock.observe(counter) } }
    }

    func next() -> UInt64 { clock.withLock { $0.next() } }
}
