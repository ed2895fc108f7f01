import ClusterState
import Model
import Wire

/// What the nodes themselves report, at one moment.
struct ClusterSurvey: Sendable, Equatable {
    /// A task of a repair process, as far as it is needed here.
    struct Task: Codable, Sendable, Equatable {
        var kind: String
        var state: String
        var bytes: UInt64?
        var bytesPerSecond: Double?
        var startedMilliseconds: Int64?
        var finishedMilliseconds: Int64?
    }

    /// `scrub-status`, as far as it is needed here.
    struct Scrub: Codable, Sendable, Equatable {
        struct Disk: Codable, Sendable, Equatable {
            var bytesRead: Int
            var bytesLeft: Int
            var rateLimit: Int
        }

        var disks: [Disk]
        /// Records that cannot be read and wait to be healed.
        var damaged: Int
        /// 0: only on command; nil: the node does not tell.
        var intervalSeconds: Int64?
    }

    struct Node: Sendable, Equatable {
        var disks: DiskListReport?
        var usage: DiskUsageReport?
        /// Of a replicator, or the hints of a storage node.
        var queues: QueuesReport?
        var scrub: Scrub?
        var tasks: [Task] = []
        /// Why it told nothing.
        var failure: String?
    }

    var nodes: [NodeName: Node] = [:]
}

extension ClusterSurvey {
    private struct Tasks: Codable { var tasks: [Task] }

    private static let timeout = Duration.seconds(3)

    /// Asks all members that may answer, at the same time.
    static func take(_ verbs: NodeVerbs, liveness: [NodeName: Liveness]) async -> ClusterSurvey {
        let asked = verbs.cluster.view.members.values.filter { member in
            [.storage, .replicator, .repair].contains(member.role) && liveness[member.nodeName]?.verdict != .down
        }
        return await withTaskGroup(of: (NodeName, Node).self) { group in
            for member in asked { group.addTask { (member.nodeName, await ask(member, verbs)) } }
            return await group.reduce(into: ClusterSurvey()) { $0.nodes[$1.0] = $1.1 }
        }
    }

    private static func ask(_ member: MemberRecord, _ verbs: NodeVerbs) async -> Node {
        var node = Node()
        let name = member.nodeName
        do {
            switch member.role {
            case .storage:
                node.disks = try await answer("disk-list", of: name, verbs)
                node.usage = try await answer("du", of: name, verbs)
                node.queues = try await answer("mq-stats", of: name, verbs)
                node.scrub = try await answer("scrub-status", of: name, verbs)
            case .replicator: node.queues = try await answer("mq-stats", of: name, verbs)
            // An older repair process has no tasks.
            default: node.tasks = (try? await answer("tasks", of: name, verbs) as Tasks)?.tasks ?? []
            }
        } catch let error as VerbError {
            node.failure = error.message
        } catch {
            node.failure = "\(error)"
        }
        return node
    }

    private static func answer<Report: Decodable>(
        _ verb: String, of node: NodeName, _ verbs: NodeVerbs
    ) async throws -> Report {
        let json = try await verbs.forward(verb, to: node, [], until: .now + timeout)
        return try ReportCoding.decode(Report.self, from: json)
    }
}
