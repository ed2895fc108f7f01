import Model

@testable import Ring

/// The least number of replicas that must move for a placement with the planner's shares, found without the planner.
///
/// Placing replicas is a flow from partitions over (partition, zone) to nodes; a replica costs one where it was not
/// before. A flow costs the least if no circle of exchanges is cheaper (Klein 1967): circles are looked for, after Bellman
/// and Ford, and carried out until there is none.
struct LeastMovement {
    private struct Arc {
        var from: Int
        var to: Int
        var cost: Int
        /// Partition and node whose placement it changes; nil: it only changes zones.
        var placement: (partition: Int, node: Int)?
    }

    private let zones: [Int]
    private let zoneCount: Int
    private let zoneMax: Int
    private let names: [NodeName: Int]
    private let had: [Set<Int>]
    private var sets: [Set<Int>]

    /// - Parameters:
    ///   - sets: any placement that keeps the shares and the rule of zones.
    ///   - nodes: sorted by name.
    init(_ sets: [[NodeName]], before: RingTable, nodes: [RingNode], quota: RingQuota) {
        let names = Dictionary(uniqueKeysWithValues: nodes.enumerated().map { ($1.name, $0) })
        self.names = names
        zones = quota.zoneOfNode
        zoneCount = quota.zoneCount
        zoneMax = quota.zoneReplicasMax
        had = before.partitions.map { Set($0.current.compactMap { names[$0] }) }
        self.sets = sets.map { Set($0.map { names[$0]! }) }
    }

    /// Replicas on nodes that did not have them.
    mutating func moves() -> Int {
        while let circle = cheaperCircle() {
            for case (let partition, let node)? in circle.map(\.placement) {
                if sets[partition].remove(node) == nil { sets[partition].insert(node) }
            }
        }
        return zip(sets, had).reduce(0) { $0 + $1.0.subtracting($1.1).count }
    }

    /// Nodes, then partitions, then the zones of each partition.
    private var arcs: [Arc] {
        var arcs: [Arc] = []
        for partition in sets.indices {
            let hub = zones.count + partition
            let slot = { zones.count + sets.count + partition * zoneCount + $0 }
            var used = [Int](repeating: 0, count: zoneCount)
            for node in sets[partition] { used[zones[node]] += 1 }
            for zone in 0..<zoneCount {
                if used[zone] < zoneMax { arcs.append(Arc(from: hub, to: slot(zone), cost: 0)) }
                if used[zone] > 0 { arcs.append(Arc(from: slot(zone), to: hub, cost: 0)) }
            }
            for node in zones.indices {
                let cost = had[partition].contains(node) ? 0 : 1
                let placement = (partition, node)
                if sets[partition].contains(node) {
                    arcs.append(Arc(from: node, to: slot(zones[node]), cost: -cost, placement: placement))
                } else {
                    arcs.append(Arc(from: slot(zones[node]), to: node, cost: cost, placement: placement))
                }
            }
        }
        return arcs
    }

    private func cheaperCircle() -> [Arc]? {
        let arcs = arcs
        let count = zones.count + sets.count * (1 + zoneCount)
        var distance = [Int](repeating: 0, count: count)
        var last = [Int](repeating: -1, count: count)
        var changed = -1
        for _ in 0..<count {
            changed = -1
            for (index, arc) in arcs.enumerated() where distance[arc.from] + arc.cost < distance[arc.to] {
                distance[arc.to] = distance[arc.from] + arc.cost
                last[arc.to] = index
                changed = arc.to
            }
            if changed < 0 { return nil }
        }
        // So many steps back lead into the circle.
        var vertex = changed
        for _ in 0..<count { vertex = arcs[last[vertex]].from }
        var circle: [Arc] = []
        var present = vertex
        repeat {
            circle.append(arcs[last[present]])
            present = arcs[last[present]].from
        } while present != vertex
        return circle
    }
}
