import Dispatch
import Foundation
import Synchronization

/// SIGTERM and SIGINT as something to wait for. The first asks for a graceful stop; a second ends the process at once.
/// SIGPIPE is ignored: a peer that went away is an error of the write.
public final class TerminationSignals: Sendable {
    private let queue = DispatchQueue(label: "martlet.signals")
    private nonisolated(unsafe) var sources: [any DispatchSourceSignal] = []
    private let received = Mutex<(seen: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    public init() {
        signal(SIGPIPE, SIG_IGN)
        sources = [SIGTERM, SIGINT].map { number in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler { [weak self] in self?.receive(number) }
            source.resume()
            return source
        }
    }

    /// Returns when the first signal has come.
    public func wait() async {
        await withCheckedContinuation { continuation in
            let seen = received.withLock { state in
                if !state.seen { state.waiters.append(continuation) }
                return state.seen
            }
            if seen { continuation.resume() }
        }
    }

    private func receive(_ number: Int32) {
        let waiters: [CheckedContinuation<Void, Never>]? = received.withLock { state in
            guard !state.seen else { return nil }
            state.seen = true
            defer { state.waiters = [] }
            return state.waiters
        }
        guard let waiters else { _exit(128 + number) }
        for waiter in waiters { waiter.resume() }
    }
}
