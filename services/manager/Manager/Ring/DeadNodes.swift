import ClusterState
import Model
import Ring
import Wire

/// Storage nodes that hold replicas and do not answer, and when others are to get their replicas. Pure.
///
/// A suspended node is expected back, and one that is detached is being taken out already: neither is dead.
struct DeadNodes: Sendable, Equatable {
    /// To be taken out of the ring now, all by one plan, sorted.
    var due: [NodeName] = []
    /// Milliseconds since 1970 when each of the others is to be taken out.
    var later: [NodeName: Int64] = [:]
    /// Would be due, but without them fewer nodes than replicas were left.
    var indispensable: [NodeName] = []

    /// - Parameters:
    ///   - wait: how long a node must have been dead; nil: it stays in the ring for ever.
    ///   - now: milliseconds since 1970.
    init(_ view: ClusterView, _ liveness: [NodeName: Liveness], wait: Duration?, now: Int64) {
        guard let wait, let ring = view.ring else { return }
        let waitMilliseconds = Int64(wait / .milliseconds(1))
        let members = view.storageNodes.compactMap { view.members[$0] }
        for member in members where ring.nodes.contains(member.nodeName) {
            guard member.state == .stopped, liveness[member.nodeName]?.verdict == .down else { continue }
            let (end, overflow) = member.updatedMilliseconds.addingReportingOverflow(waitMilliseconds)
            if now >= end, !overflow { due.append(member.nodeName) } else { later[member.nodeName] = end }
        }
        let left = members.count { member in
            if ring.nodes.contains(member.nodeName) {
                return member.state != .detached && !due.contains(member.nodeName)
            }
            return member.state == .attached
        }
        if left < view.consistency.replicas { (due, indispensable) = ([], due) }
    }
}
