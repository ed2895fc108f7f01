import Model
import Register
import Ring

/// Tells from who answered what whether a merged entry is certain. A pure value, for one round of answers.
struct ListJudge: Sendable {
    enum Verdict: Sendable, Equatable {
        case live
        case gone
        /// Too few of the key's replicas agree: only a read of the register can tell.
        case unsettled
    }

    private let ring: RingTable
    private let level: ConsistencyLevel
    private let bucket: BucketID
    private let keyspace: Keyspace
    /// Whether the answers have tombstones: otherwise one may be newer than what is listed.
    private let hasTombstones: Bool
    /// By index of the answer.
    private let nodes: [NodeName]

    init(
        ring: RingTable, level: ConsistencyLevel, bucket: BucketID, keyspace: Keyspace, hasTombstones: Bool = true,
        nodes: [NodeName]
    ) {
        self.ring = ring
        self.level = level
        self.bucket = bucket
        self.keyspace = keyspace
        self.hasTombstones = hasTombstones
        self.nodes = nodes
    }

    /// Whether these nodes are a read quorum of every partition: then no decided key can hide.
    static func covers(_ ring: RingTable, _ level: ConsistencyLevel, answered: Set<NodeName>) -> Bool {
        var seen: Set<[[NodeName]]> = []
        return ring.partitions.allSatisfy { replicas in
            let sets = replicas.sets
            guard seen.insert(sets).inserted else { return true }
            return QuorumRule(sets: sets, level: level).isReadQuorum(answered)
        }
    }

    func verdict(_ entry: MergedEntry) -> Verdict {
        switch entry.kind {
        case .key(let top, let holders):
            guard isCertain(entry.key, holders: holders, deleted: top.deleted, isTop: hasTombstones) else {
                return .unsettled
            }
            return top.deleted ? .gone : .live
        case .commonPrefix(let witnesses):
            let isLive = witnesses.contains { isCertain($0.key, holders: $0.holders, deleted: false, isTop: false) }
            return isLive ? .live : .unsettled
        }
    }

    func name(_ key: [UInt8]) -> RegisterName { RegisterName(bucket: bucket, keyspace: keyspace, key: key) }

    /// With the highest tag of all answers, a read quorum or decided is enough. Where tombstones are left out, one of them may
    /// have a higher tag: it takes both.
    private func isCertain(_ key: [UInt8], holders: [Int], deleted: Bool, isTop: Bool) -> Bool {
        // All who answered agree, and they are a read quorum of every partition.
        if holders.count == nodes.count { return true }
        let rule = QuorumRule(sets: ring.assignment(of: name(key)).sets, level: level, deleting: deleted)
        let members = rule.memberSet(holders.lazy.map { nodes[$0] })
        let (isRead, isDecided) = (rule.isReadQuorum(members), rule.isDecided(heldBy: members))
        return isTop ? isRead || isDecided : isRead && isDecided
    }
}
