import CZeroMQ
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// Hands commands from any thread to the bus thread, in order. Wakes it only when it said that it sleeps.
final class CommandQueue<Command: Sendable>: Sendable {
    private struct State {
        var commands: [Command] = []
        var isSleeping = false
        var isClosed = false
    }

    enum Outcome { case accepted, full, closed }

    private let state = Mutex(State())
    private let capacity: Int
    /// The bus thread waits for this descriptor.
    let wakeUp: Int32

    init(capacity: Int) throws {
        self.capacity = capacity
        wakeUp = eventfd(0, Int32(EFD_CLOEXEC) | Int32(EFD_NONBLOCK))
        guard wakeUp >= 0 else { throw BusSetupError("eventfd", code: errno) }
    }

    deinit { Glibc.close(wakeUp) }

    /// `urgent` commands have a bound of their own elsewhere (replies: the requests that are served).
    func push(_ command: Command, urgent: Bool = false) -> Outcome {
        let (outcome, wake) = state.withLock { state -> (Outcome, Bool) in
            if state.isClosed { return (.closed, false) }
            if !urgent, state.commands.count >= capacity { return (.full, false) }
            state.commands.append(command)
            defer { state.isSleeping = false }
            return (.accepted, state.isSleeping)
        }
        if wake {
            var one: UInt64 = 1
            _ = write(wakeUp, &one, 8)
        }
        return outcome
    }

    /// Swaps the waiting commands with an empty array whose memory is used again.
    func take(into commands: inout [Command]) {
        commands.removeAll(keepingCapacity: true)
        state.withLock {
            $0.isSleeping = false
            swap(&$0.commands, &commands)
        }
    }

    /// Whether the bus thread may sleep now; from then on pushes wake it.
    func prepareToSleep() -> Bool {
        state.withLock {
            $0.isSleeping = $0.commands.isEmpty
            return $0.isSleeping
        }
    }

    /// Nothing is accepted from now on; returns what still waits.
    func close() -> [Command] {
        state.withLock { state in
            state.isClosed = true
            defer { state.commands = [] }
            return state.commands
        }
    }
}
