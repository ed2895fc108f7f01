import ClusterState
import Model
import Ring
import Wire

/// The nodes that are to hold the ring, as members and announcements say. Pure.
struct RingGoal {
    var nodes: [RingNode] = []
    var replacing: [NodeName: NodeName] = [:]
    /// For people.
    var changes: [String] = []

    /// - Parameter dead: nodes that nobody detached and that are to go all the same.
    init(_ state: ManagerState, _ ring: RingTable, without dead: Set<NodeName> = []) {
        let holding = Set(ring.nodes)
        for name in state.view.storageNodes {
            guard let member = state.view.members[name] else { continue }
            let stays = holding.contains(name) && member.state != .detached && !dead.contains(name)
            let comes = !holding.contains(name) && member.state == .attached
            if stays || comes { nodes.append(RingNode(name: name, zone: member.zone, weight: max(1, member.weight))) }
            if comes, !state.takeovers.values.contains(name) { changes.append("attach \(name)") }
        }
        let staying = Set(nodes.map(\.name))
        for name in ring.nodes where !staying.contains(name) {
            if let successor = state.takeovers[name], staying.contains(successor) {
                replacing[name] = successor
                changes.append("\(successor) takes over \(name)")
            } else {
                changes.append(dead.contains(name) ? "\(name) is dead: others get its replicas" : "detach \(name)")
            }
        }
        let replicas = state.view.consistency.replicas
        if ring.partitions.contains(where: { $0.current.count != replicas }) {
            changes.append("\(replicas) replicas of each object")
        }
    }

    /// The way there.
    func plan(_ state: ManagerState, _ ring: RingTable) throws(VerbError) -> RingPlan {
        do {
            return try RingPlan(
                id: (state.ringPlan?.id ?? 0) + 1, from: ring, nodes: nodes,
                replicas: state.view.consistency.replicas, replacing: replacing)
        } catch {
            throw VerbError(.conflict, "Not satisfy conditions: \(Self.explain(error))")
        }
    }

    static func explain(_ error: RingPlanError) -> String {
        switch error {
        case .tooFewNodes(let needed, let given): "\(needed) replicas need \(needed) nodes, \(given) would be left"
        case .invalidNode(let name): "\(name) cannot be placed"
        case .moving: "partitions still move"
        case .invalidReplicas, .invalidPartitions, .invalidHashKey: "the cluster's settings make no ring: \(error)"
        }
    }
}
