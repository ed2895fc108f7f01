import Model
import Testing

@testable import Ring

@Suite struct RingPlanTests {
    private static let key = (0..<16).map { UInt8($0) }

    private func table(_ nodes: [RingNode], replicas: Int = 3, partitions: Int = 256) throws -> RingTable {
        try RingPlanner.assign(nodes: nodes, replicas: replicas, partitions: partitions, epoch: 1, hashKey: Self.key)
    }

    private func nodes(_ names: String...) -> [RingNode] { names.map { RingNode(name: NodeName($0)) } }

    private func loads(_ sets: [[NodeName]]) -> [NodeName: Int] {
        sets.joined().reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    /// The sets after the plan.
    private func outcome(_ plan: RingPlan, _ table: RingTable) -> [[NodeName]] {
        table.partitions.indices.map { plan.open[$0] ?? table.partitions[$0].current }
    }

    @Test("a node that takes over gets exactly what the other one held, and nothing else moves")
    func takeover() throws {
        let old = try table(nodes("a", "b", "c", "d"))
        let plan = try RingPlan(
            id: 1, from: old, nodes: nodes("a", "b", "c", "e"), replicas: 3, replacing: ["d": "e"])
        #expect(Set(plan.open.keys) == Set(old.partitions(of: "d")))
        #expect(plan.moves(from: old).allSatisfy { $0.leaving == ["d"] && $0.joining == ["e"] })
        #expect(plan.movesTotal == old.partitions(of: "d").count)
    }

    @Test("several changes are one plan")
    func several() throws {
        let old = try table(nodes("a", "b", "c", "d"))
        var goal = nodes("a", "b", "e", "f", "g")
        goal[0].weight = 2
        let plan = try RingPlan(id: 1, from: old, nodes: goal, replicas: 3, replacing: ["d": "e"])
        let after = loads(outcome(plan, old))
        #expect(after["c"] == nil && after["d"] == nil)
        #expect(after["a"] == 256)
        #expect(plan.partitionsTotal == plan.open.count)
    }

    @Test("nothing to do is a plan that is done")
    func nothing() throws {
        let old = try table(nodes("a", "b", "c", "d"))
        let plan = try RingPlan(id: 1, from: old, nodes: nodes("a", "b", "c", "d"), replicas: 3)
        #expect(plan.phase == .done && plan.open.isEmpty && plan.movesTotal == 0)
    }

    @Test("what cannot be is refused")
    func refused() throws {
        let old = try table(nodes("a", "b", "c"))
        #expect(throws: RingPlanError.tooFewNodes(needed: 3, given: 2)) {
            try RingPlan(id: 1, from: old, nodes: nodes("a", "b"), replicas: 3)
        }
        #expect(throws: RingPlanError.invalidNode("b")) {
            try RingPlan(id: 1, from: old, nodes: nodes("a", "b", "d"), replicas: 3, replacing: ["c": "b"])
        }
        #expect(throws: RingPlanError.invalidNode("x")) {
            try RingPlan(id: 1, from: old, nodes: nodes("a", "b", "d"), replicas: 3, replacing: ["x": "d"])
        }
        let moving = old.changing([0: PartitionReplicas(current: ["a", "b", "c"], next: ["b", "c", "d"])])
        #expect(throws: RingPlanError.moving) {
            try RingPlan(id: 1, from: moving, nodes: nodes("a", "b", "c"), replicas: 3)
        }
    }

    /// Clusters that grow, shrink, are weighted and zoned anew, at random.
    @Test("moves at most a tenth more than must be moved, and is balanced within 5 %", arguments: 0..<20)
    func random(seed: UInt64) throws {
        try walk(zones: 1, seed) { plan, least in plan.movesTotal <= least + least / 10 + 3 }
    }

    @Test("moves at most a tenth more than the least that zones allow", arguments: 0..<60)
    func randomWithZones(seed: UInt64) throws {
        var random = Numbers(seed: seed)
        let zones = Int(seed % 3) + 2
        var goal = (0..<Int.random(in: 6...12, using: &random)).map { node($0, zones, &random) }
        var current = try table(goal, partitions: 64)
        for step in 1...4 {
            change(&goal, step, zones, &random)
            let sorted = goal.sorted { $0.name < $1.name }
            let plan = try RingPlan(id: UInt64(step), from: current, nodes: goal, replicas: 3)
            let quota = RingQuota(nodes: sorted, replicas: 3, partitions: 64)
            #expect(shares(outcome(plan, current), sorted) == quota.nodes)
            var best = LeastMovement(outcome(plan, current), before: current, nodes: sorted, quota: quota)
            let least = best.moves()
            #expect(
                least <= plan.movesTotal && plan.movesTotal <= least + least / 10 + 3,
                "seed \(seed), step \(step), \(goal.count) nodes in \(zones) zones: \(plan.movesTotal) of \(least)")
            current = current.changing(plan.open.mapValues { PartitionReplicas(current: $0) })
        }
    }

    private func shares(_ sets: [[NodeName]], _ nodes: [RingNode]) -> [Int] {
        let loads = loads(sets)
        return nodes.map { loads[$0.name, default: 0] }
    }

    /// From any number to any other, on clusters of several sizes, weights and zones.
    @Test("another number of replicas moves at most a tenth more than must be moved", arguments: 0..<40)
    func randomReplicas(seed: UInt64) throws {
        var random = Numbers(seed: seed)
        let zones = Int(seed % 4) + 1
        let goal = (0..<Int.random(in: 6...12, using: &random)).map { node($0, zones, &random) }.sorted {
            $0.name < $1.name
        }
        let (from, to) = (Int.random(in: 1...5, using: &random), Int.random(in: 1...5, using: &random))
        let current = try table(goal, replicas: from)
        let plan = try RingPlan(id: 1, from: current, nodes: goal, replicas: to)
        let (before, after) = (loads(current.partitions.map(\.current)), loads(outcome(plan, current)))
        let quota = RingQuota(nodes: goal, replicas: to, partitions: 256)
        for (node, share) in zip(goal, quota.nodes) {
            #expect(abs(after[node.name, default: 0] - share) <= max(1, share / 20), "\(node.name)")
        }
        let least = max(
            after.reduce(0) { $0 + max(0, $1.value - before[$1.key, default: 0]) },
            256 * (to - from), crowded(current, goal, quota.zoneReplicasMax) - 256 * max(0, from - to))
        #expect(
            plan.movesTotal <= least + least / 10 + 3,
            "seed \(seed), \(goal.count) nodes in \(zones) zones, \(from) to \(to): \(plan.movesTotal) of \(least)")
    }

    private func walk(zones: Int, _ seed: UInt64, _ isLittle: (RingPlan, Int) -> Bool) throws {
        var random = Numbers(seed: seed)
        var goal = (0..<Int.random(in: 6...12, using: &random)).map { node($0, zones, &random) }
        var current = try table(goal)
        for step in 1...4 {
            change(&goal, step, zones, &random)
            let plan = try RingPlan(id: UInt64(step), from: current, nodes: goal, replicas: 3)
            let (before, after) = (loads(current.partitions.map(\.current)), loads(outcome(plan, current)))
            let quota = RingQuota(nodes: goal.sorted { $0.name < $1.name }, replicas: 3, partitions: 256)
            for (node, share) in zip(goal.sorted(by: { $0.name < $1.name }), quota.nodes) {
                #expect(abs(after[node.name, default: 0] - share) <= max(1, share / 20), "\(node.name)")
            }
            let least = max(
                after.reduce(0) { $0 + max(0, $1.value - before[$1.key, default: 0]) },
                crowded(current, goal, quota.zoneReplicasMax))
            #expect(isLittle(plan, least), "seed \(seed), step \(step): \(plan.movesTotal) of \(least)")
            current = current.changing(plan.open.mapValues { PartitionReplicas(current: $0) })
        }
    }

    private func node(_ number: Int, _ zones: Int, _ random: inout Numbers) -> RingNode {
        RingNode(
            name: NodeName("n\(100 + number)"), zone: "z\(Int.random(in: 0..<zones, using: &random))",
            weight: UInt64.random(in: 4...8, using: &random))
    }

    private func change(_ goal: inout [RingNode], _ step: Int, _ zones: Int, _ random: inout Numbers) {
        switch Int.random(in: 0..<4, using: &random) {
        case 0: goal.append(node(20 * step, zones, &random))
        case 1 where goal.count > 6: goal.remove(at: Int.random(in: goal.indices, using: &random))
        case 2: goal[Int.random(in: goal.indices, using: &random)].weight = UInt64.random(in: 4...8, using: &random)
        default:
            goal.append(node(20 * step, zones, &random))
            goal.remove(at: Int.random(in: 0..<goal.count - 1, using: &random))
        }
    }

    /// Replicas that stand where they may not: on a node that is gone, or too many in one zone.
    private func crowded(_ table: RingTable, _ goal: [RingNode], _ zoneMax: Int) -> Int {
        let zones = Dictionary(uniqueKeysWithValues: goal.map { ($0.name, $0.zone) })
        return table.partitions.reduce(0) { sum, replicas in
            let perZone = replicas.current.reduce(into: [String?: Int]()) { $0[zones[$1], default: 0] += 1 }
            return sum + perZone.reduce(0) { $0 + ($1.key == nil ? $1.value : max(0, $1.value - zoneMax)) }
        }
    }
}

/// Numbers that are the same for the same seed (xorshift64*).
struct Numbers: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9e37_79b9_7f4a_7c15 | 1 }
    mutating func next() -> UInt64 {
        state ^= state >> 12
        state ^= state << 25
        state ^= state >> 27
        return state &* 0x2545_f491_4f6c_dd1d
    }
}
