import Model

/// Which peers are asked last, because they failed or were slow. Pure: time is passed in.
///
/// A peer stays under suspicion until it has answered in good time. Once in a while one request tries it, so that only that one
/// waits if the peer is still away.
struct PeerSuspicion: Sendable {
    /// So many requests that waited in vain, without an answer in between, make a peer suspect.
    static let silencesMax = 8

    private let trialInterval: Duration
    /// The next trial of each suspect.
    private var trials: [NodeName: ContinuousClock.Instant] = [:]
    private var silences: [NodeName: Int] = [:]
    /// Suspects that are more than silent for a moment.
    private var failures: Set<NodeName> = []

    /// - Parameter trialInterval: how long a suspect is left alone before one request tries it.
    init(trialInterval: Duration) { self.trialInterval = trialInterval }

    /// Nobody is suspect, nor silent.
    var isEmpty: Bool { trials.isEmpty && silences.isEmpty }

    func isSuspect(_ node: NodeName) -> Bool { trials[node] != nil }

    /// Whether it gave no answer, or a very late one.
    func hasFailed(_ node: NodeName) -> Bool { failures.contains(node) }

    // MARK: - Events

    /// It gave no answer, or a very late one.
    mutating func failed(_ node: NodeName, now: ContinuousClock.Instant) {
        failures.insert(node)
        suspect(node, now)
    }

    /// A request has waited for longer than usual and goes on waiting.
    mutating func silent(_ node: NodeName, now: ContinuousClock.Instant) {
        guard trials[node] == nil else { return }
        let count = silences[node, default: 0] + 1
        if count >= Self.silencesMax { suspect(node, now) } else { silences[node] = count }
    }

    /// It answered in good time.
    mutating func answered(_ node: NodeName) {
        silences[node] = nil
        trials[node] = nil
        failures.remove(node)
    }

    private mutating func suspect(_ node: NodeName, _ now: ContinuousClock.Instant) {
        silences[node] = nil
        trials[node] = now + trialInterval
    }

    /// The same nodes, suspects last; but the first one keeps its place when it is time to try it.
    mutating func ordered(
        _ nodes: [NodeName], absent: Set<NodeName>, now: ContinuousClock.Instant
    ) -> [NodeName] {
        var avoided = Set(nodes.filter { trials[$0] != nil || absent.contains($0) })
        if let first = nodes.first, !absent.contains(first), let trial = trials[first], trial <= now {
            trials[first] = now + trialInterval
            avoided.remove(first)
        }
        return avoided.isEmpty ? nodes : nodes.filter { !avoided.contains($0) } + nodes.filter(avoided.contains)
    }
}
