import Model
import Testing

@testable import Ring

@Suite struct RingPlannerTests {
    private static let key = (0..<16).map { UInt8($0) }

    private func nodes(_ count: Int, zones: Int = 1, weight: (Int) -> UInt64 = { _ in 1 }) -> [RingNode] {
        (0..<count).map { RingNode(name: NodeName("n\($0 + 10)"), zone: "z\($0 % zones)", weight: weight($0)) }
    }

    private func plan(
        _ nodes: [RingNode], replicas: Int = 3, partitions: Int = 256, previous: RingTable? = nil
    ) throws -> RingTable {
        try RingPlanner.assign(
            nodes: nodes, replicas: replicas, partitions: partitions, previous: previous,
            epoch: (previous?.epoch ?? 0) + 1, hashKey: Self.key)
    }

    private func loads(_ table: RingTable) -> [NodeName: Int] {
        table.partitions.flatMap(\.current).reduce(into: [:]) { $0[$1, default: 0] += 1 }
    }

    /// Replicas that stand on a node where the partition was not before.
    private func moved(_ old: RingTable, _ new: RingTable) -> Int {
        zip(old.partitions, new.partitions).reduce(0) { $0 + Set($1.1.current).subtracting($1.0.current).count }
    }

    @Test("every partition has the wanted number of different replicas", arguments: 1...7)
    func complete(replicas: Int) throws {
        for count in replicas...9 {
            let table = try plan(nodes(count), replicas: replicas, partitions: 64)
            #expect(table.partitions.allSatisfy { $0.current.count == replicas && $0.next.isEmpty })
        }
    }

    @Test("the same nodes in any order give the same table")
    func deterministic() throws {
        let some = nodes(7, zones: 3, weight: { UInt64($0 % 3 + 1) })
        #expect(try plan(some) == plan(some.reversed()))
    }

    @Test("equal nodes differ by one replica at most", arguments: [3, 5, 8, 20])
    func balanced(count: Int) throws {
        let loads = loads(try plan(nodes(count))).values
        #expect(loads.max()! - loads.min()! <= 1)
    }

    @Test("a node has its share by weight within 5 %")
    func weighted() throws {
        let some = nodes(8, weight: { [4, 4, 2, 2, 2, 1, 1, 8][$0] })
        let table = try plan(some, partitions: 1024)
        let total = Double(some.reduce(0) { $0 + $1.weight })
        for node in some {
            let share = 3 * 1024 * Double(node.weight) / total
            #expect(abs(Double(loads(table)[node.name]!) - share) <= max(1, 0.05 * share))
        }
        #expect(loads(table)["n17"] == 1024)
    }

    @Test("what is above one replica of everything goes to the others by weight")
    func capped() throws {
        let table = try plan(nodes(5, weight: { $0 == 0 ? 100 : 1 }), partitions: 256)
        #expect(loads(table)["n10"] == 256)
        #expect(loads(table).filter { $0.key != "n10" }.values.allSatisfy { $0 == 128 })
    }

    @Test("nodes are also preferred evenly")
    func leaders() throws {
        let table = try plan(nodes(6))
        let first = table.partitions.reduce(into: [NodeName: Int]()) { $0[$1.current[0], default: 0] += 1 }
        #expect(first.values.max()! - first.values.min()! <= 10)
    }

    @Test("no two replicas share a zone while there are enough zones", arguments: [3, 4, 5])
    func zones(count: Int) throws {
        let some = nodes(3 * count - 2, zones: count)
        let zone = Dictionary(uniqueKeysWithValues: some.map { ($0.name, $0.zone) })
        let table = try plan(some)
        #expect(table.partitions.allSatisfy { Set($0.current.map { zone[$0]! }).count == 3 })
    }

    @Test("with fewer zones than replicas no zone has all of them")
    func fewZones() throws {
        let some = nodes(6, zones: 2)
        let zone = Dictionary(uniqueKeysWithValues: some.map { ($0.name, $0.zone) })
        #expect(try plan(some).partitions.allSatisfy { Set($0.current.map { zone[$0]! }).count == 2 })
    }

    @Test("a zone of one node does not make the plan impossible")
    func lopsidedZones() throws {
        let some = nodes(5).enumerated().map { RingNode(name: $1.name, zone: $0 == 0 ? "small" : "large") }
        #expect(try plan(some, replicas: 5).partitions.allSatisfy { $0.current.count == 5 })
        #expect(try plan(some, replicas: 4).partitions.allSatisfy { $0.current.count == 4 })
    }

    @Test("nothing moves when nothing changes")
    func stable() throws {
        let some = nodes(7, zones: 3, weight: { UInt64($0 % 3 + 1) })
        let old = try plan(some)
        let new = try plan(some, previous: old)
        #expect(new.partitions == old.partitions)
        #expect(new.epoch == old.epoch + 1)
    }

    @Test("a new node takes its share and nothing else moves", arguments: [1, 3])
    func growth(zones: Int) throws {
        let old = try plan(nodes(6, zones: zones))
        let new = try plan(nodes(7, zones: zones), previous: old)
        let least = loads(new).reduce(0) { $0 + max(0, $1.value - (loads(old)[$1.key] ?? 0)) }
        #expect(moved(old, new) <= least + least / 10)
        #expect(loads(new).count == 7)
    }

    @Test("only what a removed node held is moved")
    func shrinking() throws {
        let old = try plan(nodes(7))
        let new = try plan(nodes(7).filter { $0.name != "n13" }, previous: old)
        let held = loads(old)["n13"]!
        #expect(moved(old, new) >= held && moved(old, new) <= held + held / 10 + 6)
        #expect(loads(new)["n13"] == nil)
        let sizes = loads(new).values
        #expect(sizes.max()! - sizes.min()! <= 1)
    }

    @Test("a partition that did not change keeps its epoch")
    func partitionEpochs() throws {
        let old = try plan(nodes(6))
        let new = try plan(nodes(7), previous: old)
        for (a, b) in zip(old.partitions, new.partitions) { #expect(b.epoch == (a.current == b.current ? 1 : 2)) }
    }

    @Test("impossible wishes are refused by name")
    func refused() {
        #expect(throws: RingPlanError.tooFewNodes(needed: 3, given: 2)) { try plan(nodes(2)) }
        #expect(throws: RingPlanError.invalidReplicas(8)) { try plan(nodes(9), replicas: 8) }
        #expect(throws: RingPlanError.invalidReplicas(0)) { try plan(nodes(9), replicas: 0) }
        #expect(throws: RingPlanError.invalidPartitions(100)) { try plan(nodes(3), partitions: 100) }
        #expect(throws: RingPlanError.invalidNode("n11")) { try plan(nodes(3, weight: { $0 == 1 ? 0 : 1 })) }
        #expect(throws: RingPlanError.invalidNode("n10")) { try plan(nodes(3) + nodes(1)) }
        #expect(throws: RingPlanError.invalidHashKey) {
            try RingPlanner.assign(nodes: nodes(3), replicas: 3, partitions: 4, epoch: 1, hashKey: [])
        }
    }
}
