import Register
import Synchronization

/// The Lamport clock of this process, for all its writers.
final class SharedWriterClock: Sendable {
    private let clock = Mutex(WriterClock())

    func observe(_ counters: UInt64...) {
        clock.withLock { clock in for counter in counters { clock.observe(counter) } }
    }

    func observe(base: UInt64) {
        if base > 0 { clock.withLock { $0.observe(base: base) } }
    }

    /// Above which sequence a chain begins of which a replica has nothing.
    var base: UInt64 { clock.withLock { $0.base } }

    func next() -> UInt64 { clock.withLock { $0.next() } }
}
