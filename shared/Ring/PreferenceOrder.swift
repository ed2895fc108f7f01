import Model

/// Orders the replicas of each partition so that every node is preferred as often as its weight says: readers ask the
/// first ones.
struct PreferenceOrder {
    private let weights: [NodeName: Double]

    init(nodes: [RingNode]) {
        weights = Dictionary(uniqueKeysWithValues: nodes.map { ($0.name, Double($0.weight)) })
    }

    /// A set that has not changed keeps its order.
    func arrange(_ sets: [[NodeName]], previous: RingTable?) -> [[NodeName]] {
        var leads: [NodeName: Double] = [:]
        var arranged: [[NodeName]?] = sets.indices.map { index in
            guard let old = previous?.partitions[index].current, Set(old) == Set(sets[index]) else { return nil }
            return old
        }
        for set in arranged { for node in set?.dropLast() ?? [] { leads[node, default: 0] += 1 / weights[node]! } }
        for index in sets.indices where arranged[index] == nil {
            var rest = sets[index].sorted()
            var order: [NodeName] = []
            while !rest.isEmpty {
                let next = rest.indices.min { leads[rest[$0], default: 0] < leads[rest[$1], default: 0] }!
                let node = rest.remove(at: next)
                if !rest.isEmpty { leads[node, default: 0] += 1 / weights[node]! }
                order.append(node)
            }
            arranged[index] = order
        }
        return arranged.map { $0! }
    }
}
