import Model

/// How many replicas each node gets, in whole numbers that add up.
struct RingQuota {
    /// By index of the (sorted) nodes.
    let nodes: [Int]
    /// Zone of each node, as an index.
    let zoneOfNode: [Int]
    let zoneCount: Int
    /// Most replicas of one partition in one zone: 1 when there are enough zones.
    let zoneReplicasMax: Int

    init(nodes: [RingNode], replicas: Int, partitions: Int) {
        let names = Set(nodes.map(\.zone)).sorted()
        let zones = nodes.map { node in names.firstIndex(of: node.zone)! }
        var sizes = [Int](repeating: 0, count: names.count)
        for zone in zones { sizes[zone] += 1 }
        var limit = 1
        while sizes.reduce(0, { $0 + min($1, limit) }) < replicas { limit += 1 }

        // First over zones, none above what it may hold of every partition, then over the nodes of each zone.
        let members = names.indices.map { zone in nodes.indices.filter { zones[$0] == zone } }
        let zoneShares = Self.fill(
            total: partitions * replicas, weights: members.map { $0.reduce(0) { $0 + Double(nodes[$1].weight) } },
            caps: sizes.map { min($0, limit) * partitions })
        var shares = [Int](repeating: 0, count: nodes.count)
        for (zone, indexes) in members.enumerated() {
            let inZone = Self.fill(
                total: zoneShares[zone], weights: indexes.map { Double(nodes[$0].weight) },
                caps: indexes.map { _ in partitions })
            for (index, share) in zip(indexes, inZone) { shares[index] = share }
        }
        self.nodes = shares
        zoneOfNode = zones
        zoneCount = names.count
        zoneReplicasMax = limit
    }

    /// Splits `total` by weight, nobody above his cap (what is over goes to the others by weight), rounded by the
    /// largest remainder; ties go to the lower index.
    static func fill(total: Int, weights: [Double], caps: [Int]) -> [Int] {
        var capped = Set<Int>()
        var exact = [Double](repeating: 0, count: weights.count)
        while true {
            let open = weights.indices.filter { !capped.contains($0) }
            let rest = Double(total - capped.reduce(0) { $0 + caps[$1] })
            let weight = open.reduce(0) { $0 + weights[$1] }
            for index in open { exact[index] = rest * weights[index] / weight }
            let over = open.filter { exact[$0] > Double(caps[$0]) }
            if over.isEmpty { break }
            for index in over { exact[index] = Double(caps[index]) }
            capped.formUnion(over)
        }
        var shares = exact.map { Int($0) }
        let byRemainder = weights.indices.filter { shares[$0] < caps[$0] }.sorted {
            let (a, b) = (exact[$0] - Double(shares[$0]), exact[$1] - Double(shares[$1]))
            return a != b ? a > b : $0 < $1
        }
        var missing = total - shares.reduce(0, +)
        for index in byRemainder where missing > 0 {
            shares[index] += 1
            missing -= 1
        }
        return shares
    }
}
