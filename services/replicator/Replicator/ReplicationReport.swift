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

    /// The same queues as tasks that always come again: each has hints to deliver, or waits for some.
    static func tasks(_ statuses: [NodeName: HintFollower.Status], of process: NodeName) -> TasksReport {
        TasksReport(
            tasks: statuses.sorted { $0.key < $1.key }.map { node, status in
                let state = status.isSuspended ? "paused" : status.queued > 0 ? "running" : "waiting"
                var item = TasksReport.Item(
                    id: "\(process):\(prefix)\(node)", kind: "hints", subject: node.rawValue, state: state)
                item.unit = "hints"
                item.done = status.delivered
                item.total = status.delivered + status.queued
                item.objects = status.delivered
                item.proved = status.isReachable && status.queued == 0
                item.result = status.isReachable ? "\(status.queued) hints wait" : "\(node) does not answer"
                item.note = item.result
                return item
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
