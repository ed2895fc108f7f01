/// Who knows the cluster's state: the mirror of a process, or the manager's store.
public protocol ClusterViewing: Sendable {
    var view: ClusterView { get }
    /// Pulls from a manager now, with a request that starts after this call.
    func refresh() async throws
}

/// No manager answered, or not in time. The state known before stays in force.
public enum ClusterStateError: Error, Sendable, Equatable {
    case noManagerReachable(String)
    /// The revision waited for was not seen in time.
    case revisionNotReached(UInt64)
}
