import Model
import Synchronization

/// Remembers for a short time which peers failed or were slow, so that the next readers ask others first; so they do with
/// those that the manager says are away. Only an order: nobody is left out because of it.
final class PeerHealth: Sendable {
    private let avoidFor: Duration
    private let absent: @Sendable () -> Set<NodeName>
    private let suspects = Mutex<[NodeName: ContinuousClock.Instant]>([:])
    /// Spares the lock while all is well.
    private let hasSuspects = Atomic<Bool>(false)

    init(avoidFor: Duration, absent: @escaping @Sendable () -> Set<NodeName> = { [] }) {
        self.avoidFor = avoidFor
        self.absent = absent
    }

    func failed(_ node: NodeName) {
        suspects.withLock { suspects in
            suspects[node] = .now + avoidFor
            hasSuspects.store(true, ordering: .relaxed)
        }
    }

    func isSuspect(_ node: NodeName) -> Bool { !suspects(of: [node]).isEmpty }

    /// The same nodes, those under suspicion last.
    func ordered(_ nodes: [NodeName]) -> [NodeName] {
        let avoided = suspects(of: nodes)
        guard !avoided.isEmpty else { return nodes }
        return nodes.filter { !avoided.contains($0) } + nodes.filter(avoided.contains)
    }

    private func suspects(of nodes: [NodeName]) -> Set<NodeName> {
        let absent = absent()
        guard hasSuspects.load(ordering: .relaxed) else {
            return absent.isEmpty ? [] : Set(nodes.filter(absent.contains))
        }
        let now = ContinuousClock.now
        return suspects.withLock { suspects in
            suspects = suspects.filter { $0.value > now }
            hasSuspects.store(!suspects.isEmpty, ordering: .relaxed)
            return Set(nodes.filter { suspects[$0] != nil || absent.contains($0) })
        }
    }
}
