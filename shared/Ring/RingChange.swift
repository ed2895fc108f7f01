import Model

/// Leads a plan through the epochs of its partitions: old → both → new. A pure value.
///
/// Two settings without a common quorum must never be in force together. So a partition takes its next step only when
/// so many nodes of each set in force have **adopted** its present epoch, durably, that no quorum is left which works by
/// an older one: nodes refuse requests that are older than what they have adopted. And the new set stands alone only
/// when repair has **proved** that all of it has what was decided.
///
/// The shell asks nodes to adopt what `nodesToAsk` says, tells what it hears, and stores and publishes each step before
/// it tells anybody, with the plan, in one transaction. What is only in memory here is asked again after a restart.
public struct RingChange: Sendable {
    /// The next thing to do.
    public enum Step: Sendable, Equatable {
        /// Store this table and this plan, then call `installed` with them.
        case install(RingTable, RingPlan)
        /// Nothing can be done before somebody adopts an epoch or proves a partition.
        case wait(Waiting)
        /// The plan is over.
        case over
    }

    /// Why partitions wait, for people.
    public struct Waiting: Sendable, Equatable {
        /// Nodes without which no further partition gets on.
        public var adoption: Set<NodeName> = []
        /// Partitions of which repair has not proved the new set complete.
        public var proof: Int = 0
    }

    public private(set) var table: RingTable
    public private(set) var plan: RingPlan
    private let level: ConsistencyLevel
    /// Partitions that move at a time: only they cost clients a second quorum.
    private let movingMax: Int
    private var adopted: [NodeName: UInt64] = [:]
    /// By partition, the epoch of its two sets.
    private var proved: [Int: UInt64] = [:]

    public static let movingMax = 32

    public init(table: RingTable, plan: RingPlan, level: ConsistencyLevel, movingMax: Int = Self.movingMax) {
        precondition(movingMax > 0, "a plan needs room for one partition")
        self.table = table
        self.plan = plan
        self.level = level
        self.movingMax = movingMax
    }

    // MARK: - Events

    /// The node refuses from now on, also after a restart, whatever is older than this epoch of the ring.
    public mutating func onAdopted(_ node: NodeName, epoch: UInt64) {
        adopted[node] = max(adopted[node] ?? 0, epoch)
    }

    /// All nodes of the new set of this partition have every state and chunk that was decided before this epoch, at
    /// which both sets were in force. Returns whether that says anything about the partition as it is now.
    @discardableResult
    public mutating func onProved(_ partition: Int, epoch: UInt64) -> Bool {
        guard table.partitions.indices.contains(partition), !table.partitions[partition].next.isEmpty,
            table.partitions[partition].epoch == epoch
        else { return false }
        proved[partition] = epoch
        return true
    }

    /// What `next` said is durable, or the operator has changed the plan.
    public mutating func installed(_ table: RingTable, _ plan: RingPlan) {
        self.table = table
        self.plan = plan
        proved = proved.filter { table.partitions[$0.key].epoch == $0.value && !table.partitions[$0.key].next.isEmpty }
    }

    // MARK: - Decisions

    /// Nodes that may not have adopted the present epochs of the partitions that the plan is about.
    public var nodesToAsk: [NodeName] {
        var needed: [NodeName: UInt64] = [:]
        for partition in plan.open.keys {
            let replicas = table.partitions[partition]
            for node in replicas.nodes { needed[node] = max(needed[node] ?? 0, replicas.epoch) }
        }
        return needed.filter { adopted[$0.key] ?? 0 < $0.value }.keys.sorted()
    }

    public func next() -> Step {
        if plan.isOver { return .over }
        var sets: [Int: PartitionReplicas] = [:]
        var finished: [Int] = []
        var waiting = Waiting()
        for (partition, wanted) in moving {
            guard let final = final(partition, wanted, &waiting) else { continue }
            sets[partition] = PartitionReplicas(current: final)
            finished.append(partition)
        }
        for partition in mayBegin(room: movingMax - (moving.count - finished.count), &waiting) {
            sets[partition] = PartitionReplicas(
                current: table.partitions[partition].current, next: plan.open[partition] ?? [])
        }
        guard !sets.isEmpty else { return .wait(waiting) }
        var after = plan
        after.finish(finished)
        return .install(table.changing(sets), after)
    }

    private var moving: [(Int, [NodeName])] {
        plan.open.filter { !table.partitions[$0.key].next.isEmpty }.sorted { $0.key < $1.key }
    }

    /// The one set that may stand alone from now on; nil: both stay in force.
    private func final(_ partition: Int, _ wanted: [NodeName], _ waiting: inout Waiting) -> [NodeName]? {
        let replicas = table.partitions[partition]
        // Back to the old set: whatever was decided was decided there as well, so there is nothing to wait for.
        if plan.phase == .returning { return replicas.current }
        let late = notAdopted(replicas)
        waiting.adoption.formUnion(late)
        let isProved = proved[partition] == replicas.epoch
        if !isProved { waiting.proof += 1 }
        return late.isEmpty && isProved ? replicas.next : nil
    }

    /// Partitions that get a second set now.
    private func mayBegin(room: Int, _ waiting: inout Waiting) -> [Int] {
        guard plan.phase == .running, room > 0 else { return [] }
        var begin: [Int] = []
        for partition in plan.open.keys.sorted() where table.partitions[partition].next.isEmpty {
            let late = notAdopted(table.partitions[partition])
            waiting.adoption.formUnion(late)
            if late.isEmpty { begin.append(partition) }
            if begin.count == room { break }
        }
        return begin
    }

    /// Empty when every quorum of each set in force meets a node that has adopted the partition's epoch.
    private func notAdopted(_ replicas: PartitionReplicas) -> [NodeName] {
        var late: [NodeName] = []
        for set in replicas.sets {
            let missing = set.filter { adopted[$0] ?? 0 < replicas.epoch }
            if set.count - missing.count < level.inSet(of: set.count).meetingEveryQuorum { late += missing }
        }
        return late
    }
}

extension RingTable {
    /// The next table: these partitions have other sets.
    func changing(_ sets: [Int: PartitionReplicas]) -> RingTable {
        var partitions = self.partitions
        for (partition, replicas) in sets {
            partitions[partition] = PartitionReplicas(
                current: replicas.current, next: replicas.next, epoch: epoch + 1)
        }
        guard let table = RingTable(epoch: epoch + 1, hashKey: hashKey, partitions: partitions) else {
            preconditionFailure("a step leaves every partition with replicas, none of them twice")
        }
        return table
    }
}
