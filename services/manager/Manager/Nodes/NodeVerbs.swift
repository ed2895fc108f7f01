import ClusterState
import MessageBus
import Model
import Wire

/// Verbs about one node: the manager hands them on.
struct NodeVerbs: Sendable {
    /// Forwarded verbs whose first argument names the node.
    static let toNode: Set<String> = [
        "status", "du", "dump-ring", "update-log-level", "mq-stats", "mq-suspend", "mq-resume",
        "disk-list", "disk-add", "disk-weight", "disk-drain", "disk-replace", "disk-remove", "disk-trust",
        "compact-start", "compact-suspend", "compact-resume", "compact-status",
        "scrub-start", "scrub-status", "scrub-suspend", "scrub-resume", "diagnose-start", "recover-ring",
    ]
    /// Verbs that any repair process carries out.
    static let toRepair: Set<String> = [
        "recover-file", "recover-consistency", "recover-node", "recover-disk", "repair-status",
        "purge-tombstones",
    ]

    let bus: any RequestSending
    let cluster: ManagedCluster

    /// The node's answer: JSON.
    func forward(
        _ verb: String, to node: NodeName, _ arguments: [String], until deadline: ContinuousClock.Instant
    ) async throws -> [UInt8] {
        guard cluster.view.members[node] != nil else { throw VerbError(.notFound, "Node not exist") }
        return try await ask(node, verb, arguments, deadline)
    }

    /// Hands a verb to any running repair process.
    func forwardToRepair(
        _ verb: String, _ arguments: [String], until deadline: ContinuousClock.Instant
    ) async throws -> [UInt8] {
        let repairs = cluster.view.members.values.filter { $0.role == .repair && $0.state == .running }
        guard let repair = repairs.map({ NodeName($0.name) }).min() else {
            throw VerbError(.unavailable, "No repair process is running")
        }
        return try await ask(repair, verb, arguments, deadline)
    }

    private func ask(
        _ node: NodeName, _ verb: String, _ arguments: [String], _ deadline: ContinuousClock.Instant
    ) async throws -> [UInt8] {
        // The answer must be here before whoever asks gives up.
        let timeout = max(.milliseconds(100), deadline - .now - .milliseconds(100))
        do {
            let command = AdminCommand(verb: verb, arguments: arguments)
            return try await bus.request(
                .nodeCommand, command, to: node, timeout: timeout, answer: AdminResult.self
            ).message.json
        } catch {
            switch error.status {
            case .unreachable, .deadlineExceeded: throw VerbError(.unavailable, "node:\(node), Could not connect")
            case .unknownType: throw VerbError(.invalidArgument, "node:\(node), this process does not know \(verb)")
            default: throw VerbError(error.status, "node:\(node), \(error.message)")
            }
        }
    }
}
