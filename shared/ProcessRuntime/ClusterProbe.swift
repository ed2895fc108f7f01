import ClusterState
import Foundation
import MessageBus
import Model
import Observability
import Ring
import Wire

/// Whether every partition has a write quorum: pings each storage node and compares with the ring.
public struct ClusterProbe: Sendable {
    static let timeout = Duration.seconds(1)

    private let bus: any RequestSending
    private let cluster: any ClusterViewing

    public init(bus: any RequestSending, cluster: any ClusterViewing) {
        self.bus = bus
        self.cluster = cluster
    }

    public func run() async -> AdminServer.Health {
        let view = cluster.view
        guard let ring = view.ring else { return .init(isGood: false, json: "{\"status\":\"no ring\"}") }
        return Self.judge(ring, level: view.consistency, reachable: await reachable(ring.nodes))
    }

    private func reachable(_ nodes: [NodeName]) async -> Set<NodeName> {
        await withTaskGroup(of: NodeName?.self) { group in
            for node in nodes {
                group.addTask {
                    let answer = try? await bus.request(
                        .ping, PingRequest(), to: node, timeout: Self.timeout, answer: PingReply.self)
                    return answer == nil ? nil : node
                }
            }
            return await group.reduce(into: []) { found, node in if let node { found.insert(node) } }
        }
    }

    /// The verdict as JSON, for those that know by other means who is reachable.
    public static func judge(_ ring: RingTable, level: ConsistencyLevel, reachable: Set<NodeName>) -> AdminServer.Health
    {
        var degraded = 0
        var lost = 0
        for partition in ring.partitions {
            if !partition.nodes.allSatisfy(reachable.contains) { degraded += 1 }
            let writable = partition.sets.allSatisfy { set in
                set.count { reachable.contains($0) } >= level.inSet(of: set.count).write
            }
            if !writable { lost += 1 }
        }
        let status = lost > 0 ? "unavailable" : degraded > 0 ? "degraded" : "ok"
        let json = """
            {"status":"\(status)","nodes":\(ring.nodes.count),"nodes_reachable":\(reachable.count),\
            "partitions":\(ring.partitionCount),"partitions_degraded":\(degraded),\
            "partitions_without_quorum":\(lost)}
            """
        return .init(isGood: lost == 0, json: json)
    }
}
