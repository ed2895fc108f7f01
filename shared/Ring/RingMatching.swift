import Model

/// Places replicas so that every node gets exactly its quota: a flow from partitions over (partition, zone) to nodes.
struct RingMatching {
    let names: [NodeName]
    private let replicas: Int
    private let quota: RingQuota
    /// Node indexes of each partition.
    private(set) var assigned: [[Int]]
    private var load: [Int]

    init(nodes: [RingNode], replicas: Int, partitions: Int, quota: RingQuota) {
        names = nodes.map(\.name)
        self.replicas = replicas
        self.quota = quota
        assigned = Array(repeating: [], count: partitions)
        load = Array(repeating: 0, count: nodes.count)
    }

    var sets: [[NodeName]] { assigned.map { $0.map { names[$0] } } }

    // MARK: - Steps

    /// Takes over what is still allowed of an old table, then drops what is above the quotas, from the partitions that
    /// have lost least.
    mutating func keep(_ old: RingTable) {
        let indexes = Dictionary(uniqueKeysWithValues: names.enumerated().map { ($1, $0) })
        for (partition, replicas) in old.partitions.enumerated() {
            for node in replicas.current.compactMap({ indexes[$0] }) where isFree(partition, node) {
                place(node, in: partition)
            }
        }
        for node in names.indices where load[node] > quota.nodes[node] {
            let holding = assigned.indices.filter { assigned[$0].contains(node) }
            let fullestFirst = holding.sorted {
                assigned[$0].count != assigned[$1].count ? assigned[$0].count > assigned[$1].count : $0 < $1
            }
            for partition in fullestFirst.prefix(load[node] - quota.nodes[node]) { remove(node, from: partition) }
        }
    }

    /// Fills every partition up: directly where a node with room fits, the rest along augmenting paths.
    mutating func complete() {
        for partition in assigned.indices {
            while assigned[partition].count < replicas, let node = neediest(for: partition) {
                place(node, in: partition)
            }
        }
        for partition in assigned.indices {
            while assigned[partition].count < replicas {
                guard augment(partition) else { preconditionFailure("quotas without a solution") }
            }
        }
    }

    // MARK: - Single placements

    private func zoneCount(_ partition: Int, _ zone: Int) -> Int {
        assigned[partition].reduce(0) { $0 + (quota.zoneOfNode[$1] == zone ? 1 : 0) }
    }

    /// The partition may take this node, whatever its load.
    private func isFree(_ partition: Int, _ node: Int) -> Bool {
        assigned[partition].count < replicas && !assigned[partition].contains(node)
            && zoneCount(partition, quota.zoneOfNode[node]) < quota.zoneReplicasMax
    }

    private mutating func place(_ node: Int, in partition: Int) {
        assigned[partition].append(node)
        load[node] += 1
    }

    private mutating func remove(_ node: Int, from partition: Int) {
        assigned[partition].removeAll { $0 == node }
        load[node] -= 1
    }

    /// The node with the largest part of its quota still open.
    private func neediest(for partition: Int) -> Int? {
        var best: (node: Int, need: Double)?
        for node in names.indices where load[node] < quota.nodes[node] && isFree(partition, node) {
            let need = Double(quota.nodes[node] - load[node]) / Double(quota.nodes[node])
            if need > best?.need ?? 0 { best = (node, need) }
        }
        return best?.node
    }

    /// Whether a node may take the place of another one in a partition.
    func canExchange(_ present: Int, for node: Int, in partition: Int) -> Bool {
        let (old, new) = (quota.zoneOfNode[present], quota.zoneOfNode[node])
        return old == new || zoneCount(partition, new) < quota.zoneReplicasMax
    }

    mutating func exchange(_ present: Int, for node: Int, in partition: Int) {
        remove(present, from: partition)
        place(node, in: partition)
    }

    // MARK: - Augmenting paths

    private enum Vertex: Hashable {
        case partition(Int)
        case zone(Int, of: Int)
        case node(Int)
    }

    /// Gives the partition one more replica by the shortest chain of exchanges that ends at a node with room.
    private mutating func augment(_ start: Int) -> Bool {
        var parent: [Vertex: Vertex] = [:]
        var queue: [Vertex] = [.partition(start)]
        var head = 0
        while head < queue.count {
            let vertex = queue[head]
            head += 1
            if case .node(let node) = vertex, load[node] < quota.nodes[node] {
                apply(path(to: vertex, from: .partition(start), parent))
                return true
            }
            for next in neighbours(of: vertex) where parent[next] == nil && next != .partition(start) {
                parent[next] = vertex
                queue.append(next)
            }
        }
        return false
    }

    private func neighbours(of vertex: Vertex) -> [Vertex] {
        switch vertex {
        case .partition(let partition):
            (0..<quota.zoneCount).filter { zoneCount(partition, $0) < quota.zoneReplicasMax }
                .map { .zone($0, of: partition) }
        case .zone(let zone, let partition):
            names.indices.filter { quota.zoneOfNode[$0] == zone && !assigned[partition].contains($0) }
                .map { .node($0) } + (zoneCount(partition, zone) > 0 ? [.partition(partition)] : [])
        case .node(let node):
            assigned.indices.filter { assigned[$0].contains(node) }.map { .zone(quota.zoneOfNode[node], of: $0) }
        }
    }

    private func path(to end: Vertex, from start: Vertex, _ parent: [Vertex: Vertex]) -> [Vertex] {
        var path = [end]
        while path.last! != start { path.append(parent[path.last!]!) }
        return path.reversed()
    }

    /// Zone to node places a replica, node to zone takes it back.
    private mutating func apply(_ path: [Vertex]) {
        for step in zip(path, path.dropFirst()) {
            if case (.zone(_, let partition), .node(let node)) = step { place(node, in: partition) }
            if case (.node(let node), .zone(_, let partition)) = step { remove(node, from: partition) }
        }
    }
}
