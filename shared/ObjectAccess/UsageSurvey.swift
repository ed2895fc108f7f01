import ClusterState
import MessageBus
import Model
import Ring
import Wire

/// What a bucket holds: live objects and the bytes of their content, each counted once.
public struct StoredUsage: Sendable, Equatable {
    public var objects: UInt64
    public var bytes: UInt64

    public init(objects: UInt64 = 0, bytes: UInt64 = 0) {
        self.objects = objects
        self.bytes = bytes
    }
}

/// Asks the storage nodes what buckets hold.
///
/// Every node counts the replicas that it keeps, exactly; their sum is divided by the number of replicas that the
/// answering nodes keep of a key on average. With all nodes there and no replica behind, the result is exact; while some
/// are missing or behind, or partitions move, it is an estimate.
public struct UsageSurvey: Sendable {
    private let bus: any RequestSending
    private let cluster: any ClusterViewing

    public init(bus: any RequestSending, cluster: any ClusterViewing) {
        self.bus = bus
        self.cluster = cluster
    }

    /// - Parameter buckets: none: all that hold something.
    ///
    /// Throws when no node answers.
    public func take(_ buckets: [BucketID] = [], timeout: Duration) async throws -> [BucketID: StoredUsage] {
        let view = cluster.view
        guard let ring = view.ring else { throw AccessError.notReady("there is no ring yet") }
        let answers = await answers(FetchUsageRequest(buckets: buckets.map(\.bytes)), from: view, timeout)
        guard !answers.isEmpty else { throw AccessError.notReady("no storage node says what buckets hold") }
        return Self.sum(answers, ring)
    }

    private func answers(
        _ request: FetchUsageRequest, from view: ClusterView, _ timeout: Duration
    ) async -> [NodeName: FetchUsageReply] {
        await withTaskGroup(of: (NodeName, FetchUsageReply?).self) { group in
            for node in view.storageNodes where !view.absentNodes.contains(node) {
                group.addTask {
                    let reply = try? await bus.request(
                        .fetchUsage, request, to: node, timeout: timeout, answer: FetchUsageReply.self)
                    return (node, reply?.message)
                }
            }
            var answers: [NodeName: FetchUsageReply] = [:]
            for await (node, reply) in group { answers[node] = reply }
            return answers
        }
    }

    /// Pure.
    static func sum(_ answers: [NodeName: FetchUsageReply], _ ring: RingTable) -> [BucketID: StoredUsage] {
        // While a partition moves, its new replicas have part of it: they count as half.
        let halves = ring.partitions.reduce(0) { sum, replicas in
            let current = replicas.current.count { answers[$0] != nil }
            let coming = replicas.next.count { !replicas.current.contains($0) && answers[$0] != nil }
            return sum + 2 * current + coming
        }
        var totals: [BucketID: StoredUsage] = [:]
        for usage in answers.values.flatMap(\.usage) {
            guard let bucket = BucketID(usage.bucket) else { continue }
            totals[bucket, default: StoredUsage()].objects &+= usage.objects
            totals[bucket, default: StoredUsage()].bytes &+= usage.bytes
        }
        let replicas = Double(halves) / 2 / Double(ring.partitionCount)
        guard replicas > 0 else { return totals }
        return totals.mapValues { total in
            StoredUsage(
                objects: UInt64((Double(total.objects) / replicas).rounded()),
                bytes: UInt64((Double(total.bytes) / replicas).rounded()))
        }
    }
}
