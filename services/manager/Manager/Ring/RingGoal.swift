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

    init(_ state: ManagerState, _ ring: RingTable) {
        let holding = Set(ring.nodes)
        for name in state.view.storageNodes {
            guard let member = state.view.members[name] else { continue }
            let stays = holding.contains(name) && member.state != .detached
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
                changes.append("detach \(name)")
            }
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
