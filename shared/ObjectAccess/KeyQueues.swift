import Model
import Synchronization

/// One operation at a time per key of this process: its writers wait for each other instead of refusing each other.
final class KeyQueues: Sendable {
    private typealias Waiter = UnsafeContinuation<Bool, Never>
    /// A key is present while somebody holds it; those who wait come next, in order.
    private let queues = Mutex<[RegisterName: [Waiter]]>([:])
    private let waitersMax: Int

    init(waitersMax: Int) { self.waitersMax = waitersMax }

    /// Returns whether it had to wait. Every success is followed by one `leave`.
    func enter(_ name: RegisterName) async throws(AccessError) -> Bool {
        if queues.withLock({ Self.take(&$0, name) }) { return false }
        let entered = await withUnsafeContinuation { (waiter: Waiter) in
            let answer: Bool? = queues.withLock { queues in
                if Self.take(&queues, name) { return true }
                guard queues[name]!.count < waitersMax else { return false }
                queues[name]!.append(waiter)
                return nil
            }
            if let answer { waiter.resume(returning: answer) }
        }
        guard entered else { throw .overloaded }
        return true
    }

    func leave(_ name: RegisterName) {
        let next: Waiter? = queues.withLock { queues in
            guard let waiters = queues[name], !waiters.isEmpty else {
                queues[name] = nil
                return nil
            }
            return queues[name]?.removeFirst()
        }
        next?.resume(returning: true)
    }

    private static func take(_ queues: inout [RegisterName: [Waiter]], _ name: RegisterName) -> Bool {
        guard queues[name] == nil else { return false }
        queues[name] = []
        return true
    }
}
