import ClusterState
import Model
import PlantedBugs
import Register
import Ring

/// Where one key or chunk lives, at one epoch.
struct Placement: Sendable {
    let epoch: UInt64
    let sets: [[NodeName]]
    let consistency: ConsistencyLevel

    init(_ view: ClusterView, _ name: RegisterName) throws(AccessError) {
        let ring = try view.placingRing
        self.init(ring, ring.partition(of: name), view.consistency)
    }

    init(_ view: ClusterView, _ name: ChunkName) throws(AccessError) {
        let ring = try view.placingRing
        self.init(ring, ring.partition(of: name), view.consistency)
    }

    init(_ ring: RingTable, _ partition: Int, _ consistency: ConsistencyLevel) {
        epoch = ring.epoch
        let sets = ring.assignment(partition).sets
        self.sets = PlantedBug.newReplicasOnly.isPlanted ? sets.suffix(1) : sets
        self.consistency = consistency
    }

    func rule(deleting: Bool = false) -> QuorumRule {
        guard !PlantedBug.acknowledgeOneReplica.isPlanted else {
            return QuorumRule(sets: sets, prepare: consistency.majority, write: 1, read: consistency.read)
        }
        return QuorumRule(sets: sets, level: consistency, deleting: deleting)
    }

    /// For repair: a round that hears every replica, so that even a state that only one of them has is carried on.
    var ruleOfAll: QuorumRule { QuorumRule(hearingAll: sets, level: consistency) }

    /// For repair: a round that is right without the promise of a replica that has lost its memory.
    var ruleOfHealing: QuorumRule { QuorumRule(healing: sets, level: consistency) }

    /// For reading: the order says whom to ask first.
    func rule(ordering: ([NodeName]) -> [NodeName]) -> QuorumRule {
        guard !PlantedBug.readOneReplica.isPlanted else {
            return QuorumRule(sets: sets.map(ordering), prepare: 1, write: 1, read: 1)
        }
        return QuorumRule(sets: sets.map(ordering), level: consistency)
    }
}

extension ClusterView {
    fileprivate var placingRing: RingTable {
        get throws(AccessError) {
            guard let ring else { throw .notReady("the cluster has no ring yet: run martlet-adm start") }
            return ring
        }
    }
}

extension ClusterViewing {
    /// The replicas of a register now, each once, in order of preference. Empty without a ring.
    public func replicas(of name: RegisterName) -> [NodeName] {
        view.ring.map { $0.assignment(of: name).nodes } ?? []
    }

    /// The replicas of a chunk now, each once, in order of preference. Empty without a ring.
    public func replicas(of name: ChunkName) -> [NodeName] {
        view.ring.map { $0.assignment(of: name).nodes } ?? []
    }
}
