import Model

/// How the replicas are to be placed, and what is left to be done for it. However many nodes are added, taken out or
/// weighted anew, it is one plan.
public struct RingPlan: Sendable, Hashable {
    public enum Phase: String, Sendable, Hashable, CaseIterable {
        case running
        /// Partitions that move go on; no other one begins.
        case paused
        /// Partitions that move go back to where they were; no other one begins.
        case returning
        /// Every partition stands where it is to stand.
        case done
        /// Taken back. Partitions that were finished before stay where the plan had put them.
        case withdrawn
    }

    public let id: UInt64
    public private(set) var phase = Phase.running
    /// Partitions that do not stand yet as they are to, with their future replicas.
    public private(set) var open: [Int: [NodeName]]
    /// Partitions that the plan began with.
    public let partitionsTotal: Int
    /// Replicas that go to another node, over all partitions.
    public let movesTotal: Int

    public var isOver: Bool { phase == .done || phase == .withdrawn }

    /// As it was stored.
    public init(id: UInt64, phase: Phase, open: [Int: [NodeName]], partitionsTotal: Int, movesTotal: Int) {
        self.id = id
        self.phase = phase
        self.open = open
        self.partitionsTotal = partitionsTotal
        self.movesTotal = movesTotal
    }

    /// The way from a table to the best placement on these nodes, with as little movement as that allows.
    /// - Parameters:
    ///   - replacing: nodes that go, each with the one that takes over what it holds.
    public init(
        id: UInt64, from table: RingTable, nodes: [RingNode], replicas: Int, replacing: [NodeName: NodeName] = [:]
    ) throws(RingPlanError) {
        guard !table.isMoving else { throw .moving }
        let target = try RingPlanner.assign(
            nodes: nodes, replicas: replicas, partitions: table.partitionCount,
            previous: try table.renaming(replacing), epoch: table.epoch + 1, hashKey: table.hashKey)
        var open: [Int: [NodeName]] = [:]
        var moves = 0
        for (partition, wanted) in target.partitions.enumerated() {
            let joining = Set(wanted.current).subtracting(table.partitions[partition].current)
            // Fewer replicas than before are a change too. An order is not.
            guard Set(wanted.current) != Set(table.partitions[partition].current) else { continue }
            open[partition] = wanted.current
            moves += joining.count
        }
        self.init(
            id: id, phase: open.isEmpty ? .done : .running, open: open, partitionsTotal: open.count, movesTotal: moves)
    }

    /// For a table that was found without its plan: what moves goes back.
    public init(id: UInt64, takingBack table: RingTable) {
        var open: [Int: [NodeName]] = [:]
        for (partition, replicas) in table.partitions.enumerated() where !replicas.next.isEmpty {
            open[partition] = replicas.next
        }
        self.init(
            id: id, phase: open.isEmpty ? .withdrawn : .returning, open: open, partitionsTotal: open.count,
            movesTotal: 0)
    }

    // MARK: - What the operator says

    public mutating func pause() { if phase == .running { phase = .paused } }
    public mutating func resume() { if phase == .paused { phase = .running } }

    /// What has not begun will not; what has begun goes back.
    public mutating func rollBack(_ table: RingTable) {
        guard phase == .running || phase == .paused else { return }
        open = open.filter { !table.partitions[$0.key].next.isEmpty }
        phase = open.isEmpty ? .withdrawn : .returning
    }

    // MARK: - What has happened

    /// These partitions stand where they are to.
    mutating func finish(_ partitions: [Int]) {
        for partition in partitions { open[partition] = nil }
        if open.isEmpty { phase = phase == .returning ? .withdrawn : .done }
    }
}

/// What one partition gets and gives in a plan.
public struct RingMove: Sendable, Hashable {
    public var partition: Int
    public var leaving: [NodeName]
    public var joining: [NodeName]
}

extension RingPlan {
    /// What is left, in the order of partitions.
    public func moves(from table: RingTable) -> [RingMove] {
        open.sorted { $0.key < $1.key }.map { partition, wanted in
            let current = table.partitions[partition].current
            return RingMove(
                partition: partition, leaving: current.filter { !wanted.contains($0) },
                joining: wanted.filter { !current.contains($0) })
        }
    }
}

extension RingTable {
    /// Some partition has two sets of replicas.
    public var isMoving: Bool { partitions.contains { !$0.next.isEmpty } }

    /// The same table with other names for some nodes, none of which is in it yet.
    func renaming(_ names: [NodeName: NodeName]) throws(RingPlanError) -> RingTable {
        if names.isEmpty { return self }
        if let known = names.values.first(where: { nodes.contains($0) }) { throw .invalidNode(known) }
        if let unknown = names.keys.first(where: { !nodes.contains($0) }) { throw .invalidNode(unknown) }
        let renamed = partitions.map { replicas in
            PartitionReplicas(current: replicas.current.map { names[$0] ?? $0 }, epoch: replicas.epoch)
        }
        guard let table = RingTable(epoch: epoch, hashKey: hashKey, partitions: renamed) else {
            // Two nodes got one name.
            throw .invalidNode(names.values.sorted()[0])
        }
        return table
    }
}
