import Model
import Synchronization

/// Remembers which peers failed or were slow, so that readers ask others first; so they do with those that the manager says are
/// away. Only an order: nobody is left out because of it.
final class PeerHealth: Sendable {
    private let absent: @Sendable () -> Set<NodeName>
    private let suspicion: Mutex<PeerSuspicion>
    /// Spares the lock while all is well.
    private let disturbed = Atomic<Bool>(false)

    init(trialInterval: Duration, absent: @escaping @Sendable () -> Set<NodeName> = { [] }) {
        self.absent = absent
        suspicion = Mutex(PeerSuspicion(trialInterval: trialInterval))
    }

    /// Whether there is anybody to whom an answer makes a difference.
    var isDisturbed: Bool { disturbed.load(ordering: .relaxed) }

    func failed(_ node: NodeName) { change { $0.failed(node, now: .now) } }

    func silent(_ node: NodeName) { change { $0.silent(node, now: .now) } }

    func answered(_ node: NodeName) { change { $0.answered(node) } }

    func isSuspect(_ node: NodeName) -> Bool {
        absent().contains(node) || isDisturbed && suspicion.withLock { $0.isSuspect(node) }
    }

    /// Whether waiting for it is vain, most likely.
    func isAway(_ node: NodeName) -> Bool {
        absent().contains(node) || isDisturbed && suspicion.withLock { $0.hasFailed(node) }
    }

    /// The same nodes, those under suspicion last.
    func ordered(_ nodes: [NodeName]) -> [NodeName] {
        let absent = absent()
        guard isDisturbed || !absent.isEmpty else { return nodes }
        return suspicion.withLock { $0.ordered(nodes, absent: absent, now: .now) }
    }

    private func change(_ event: (inout PeerSuspicion) -> Void) {
        suspicion.withLock { suspicion in
            event(&suspicion)
            disturbed.store(!suspicion.isEmpty, ordering: .relaxed)
        }
    }
}
