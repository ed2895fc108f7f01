import ClusterState
import Synchronization

/// Brings the mirror of the cluster's state up to date for those who miss something in it. A gateway has one.
final class SharedRefresh: Sendable {
    private let cluster: any ClusterViewing
    /// A flood of unknown names asks the manager this often at most.
    private let interval: Duration
    private let state = Mutex((next: Task<Void, any Error>?.none, last: ContinuousClock.Instant?.none))

    init(cluster: any ClusterViewing, interval: Duration = .milliseconds(50)) {
        self.cluster = cluster
        self.interval = interval
    }

    /// Asks a manager after this call began. Who comes while another waits for its turn shares its answer.
    func callAsFunction() async throws {
        let task = state.withLock { state in
            if let next = state.next { return next }
            let due = state.last.map { $0 + interval } ?? .now
            let task = Task {
                if due > .now { try await Task.sleep(until: due, clock: .continuous) }
                self.state.withLock { $0 = (nil, .now) }
                try await cluster.refresh()
            }
            state.next = task
            return task
        }
        try await task.value
    }
}
