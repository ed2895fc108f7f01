import Model
import Ring
import Testing

@testable import Repair

@Suite struct MovePlanTests {
    private static let abc: [NodeName] = ["a", "b", "c"]
    private static let bcd: [NodeName] = ["b", "c", "d"]

    private func plan(ready: Set<NodeName>) -> MovePlan {
        let ring = RingTable(
            epoch: 5, hashKey: [UInt8](0..<16),
            partitions: [
                PartitionReplicas(current: Self.abc, next: Self.bcd, epoch: 4),
                PartitionReplicas(current: Self.abc, epoch: 1),
            ])!
        return MovePlan(ring, level: .majority(of: 3), ready: ready)
    }

    private func ballot(_ counter: UInt64?) -> Ballot? { counter.map { Ballot(counter: $0, writer: 1) } }

    /// What a, b, c and d have.
    private func need(_ counters: [UInt64?]) -> MovePlan.Need {
        plan(ready: ["a", "b", "c", "d"]).need(0, counters.map(ballot))
    }

    @Test("only partitions with two sets are walked")
    func moving() {
        let plan = plan(ready: ["a", "b", "c", "d"])
        #expect(plan.partitions.keys.sorted() == [0])
        #expect(plan.nodes == ["a", "b", "c", "d"] && plan.partitions(at: "a") == [0])
        #expect(plan.need(1, [ballot(1), nil, nil, nil]) == .nothing)
    }

    @Test("all of the new set and a quorum of the old one must take part")
    func participants() {
        #expect(plan(ready: ["b", "c", "d"]).partitions.count == 1)
        #expect(plan(ready: ["a", "b", "c"]).partitions.isEmpty)
        #expect(plan(ready: ["a", "c", "d"]).partitions.isEmpty)
    }

    @Test("what a write quorum of the old set has is copied to those who lack it")
    func copied() {
        #expect(need([7, 7, 7, nil]) == .copy(ballot(7)!, from: ["a", "b", "c"], to: ["d"]))
        #expect(need([7, 3, 7, 5]) == .copy(ballot(7)!, from: ["a", "c"], to: ["b", "d"]))
        #expect(need([nil, 7, 7, 7]) == .nothing)
    }

    @Test("what may be undecided is decided again, above all that anybody has")
    func decided() {
        #expect(need([7, 3, 3, 3]) == .decide(above: ballot(7)!, to: Self.bcd))
        // From a time when d held the partition before.
        #expect(need([3, 3, 3, 9]) == .decide(above: ballot(9)!, to: Self.bcd))
        #expect(need([nil, nil, nil, 9]) == .decide(above: ballot(9)!, to: Self.bcd))
    }

    @Test("a chunk that only a new replica has is not spread")
    func chunks() {
        let plan = plan(ready: ["a", "b", "c", "d"])
        #expect(plan.lacking(0, [true, false, true, false]) == ["b", "d"])
        #expect(plan.lacking(0, [false, false, false, true]) == [])
    }

    @Test("the walk says of every key who has it, in order")
    func merge() throws {
        var merge = MoveMerge<Int>(sources: 2)
        var pages: [[[Int]]] = [[[1, 3], [4]], [[], [1, 4]]]
        var seen: [Int: [Bool]] = [:]
        walking: while true {
            switch merge.next() {
            case .need(let source):
                let page = pages[source].removeFirst()
                try merge.add(
                    page.map { .init(key: $0, tag: .zero) }, isLast: pages[source].isEmpty, to: source)
            case .key(let key, let tags): seen[key] = tags.map { $0 != nil }
            case .end: break walking
            }
        }
        #expect(seen == [1: [true, true], 3: [true, false], 4: [true, true]])
        #expect(throws: PartitionMerge<Int>.OutOfOrder.self) {
            var merge = MoveMerge<Int>(sources: 1)
            try merge.add([.init(key: 2, tag: .zero), .init(key: 1, tag: .zero)], isLast: true, to: 0)
        }
    }
}
