import ClusterState
import Model

/// The answer of `mq-stats`: one queue for each storage node that keeps hints.
enum ReplicationReport {
    private static let prefix = "hints@"

    static func make(_ statuses: [NodeName: HintFollower.Status]) -> QueuesReport {
        QueuesReport(
            mqStats: statuses.sorted { $0.key < $1.key }.map { node, status in
                QueuesReport.Queue(
                    id: prefix + node.rawValue, state: word(status), messages: status.queued,
                    description: "writes that \(node) noted for replicas that missed them")
            })
    }

    static func node(ofQueue id: String) -> NodeName? {
        id.hasPrefix(prefix) ? NodeName(String(id.dropFirst(prefix.count))) : nil
    }

    private static func word(_ status: HintFollower.Status) -> String {
        if status.isSuspended { return "suspending" }
        return status.queued > 0 ? "running" : "idling"
    }
}
