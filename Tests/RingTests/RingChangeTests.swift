import Model
import Testing

@testable import Ring

@Suite struct RingChangeTests {
    private static let key = (0..<16).map { UInt8($0) }
    private let abc: [NodeName] = ["a", "b", "c"]
    private let bcd: [NodeName] = ["b", "c", "d"]

    private func table(_ sets: [[NodeName]], epoch: UInt64 = 1) -> RingTable {
        RingTable(
            epoch: epoch, hashKey: Self.key, partitions: sets.map { PartitionReplicas(current: $0, epoch: epoch) })!
    }

    private func plan(_ open: [Int: [NodeName]]) -> RingPlan {
        RingPlan(id: 1, phase: .running, open: open, partitionsTotal: open.count, movesTotal: open.count)
    }

    private func change(_ sets: [[NodeName]], _ open: [Int: [NodeName]], movingMax: Int = 8) -> RingChange {
        RingChange(table: table(sets), plan: plan(open), level: .majority(of: 3), movingMax: movingMax)
    }

    /// Takes the step that is due; nil when it has to wait.
    @discardableResult
    private func take(_ change: inout RingChange) -> RingTable? {
        guard case .install(let table, let plan) = change.next() else { return nil }
        change.installed(table, plan)
        return table
    }

    private func adopt(_ nodes: [NodeName], _ epoch: UInt64, _ change: inout RingChange) {
        for node in nodes { change.onAdopted(node, epoch: epoch) }
    }

    private func proves(_ partition: Int, _ epoch: UInt64, _ change: inout RingChange) -> Bool {
        change.onProved(partition, epoch: epoch)
    }

    @Test("a partition goes from the old set over both to the new one")
    func steps() throws {
        var change = change([abc], [0: bcd])
        #expect(change.nodesToAsk == abc)
        adopt(["a", "b"], 1, &change)
        let both = try #require(take(&change))
        #expect(both.epoch == 2)
        #expect(both.partitions[0] == PartitionReplicas(current: abc, next: bcd, epoch: 2))
        #expect(change.nodesToAsk == ["a", "b", "c", "d"])
        adopt(["a", "b", "c", "d"], 2, &change)
        #expect(proves(0, 2, &change))
        let new = try #require(take(&change))
        #expect(new.partitions[0] == PartitionReplicas(current: bcd, epoch: 3))
        #expect(change.plan.phase == .done)
        #expect(change.next() == .over)
    }

    @Test("nothing begins before a quorum has adopted the present epoch")
    func adoptionBefore() {
        var change = change([abc], [0: bcd])
        change.onAdopted("a", epoch: 1)
        #expect(change.next() == .wait(.init(adoption: ["b", "c"])))
        change.onAdopted("c", epoch: 1)
        let begun = take(&change)
        #expect(begun != nil)
    }

    @Test("the new set does not stand alone before a quorum of both sets has adopted the epoch of both")
    func adoptionOfBoth() {
        var change = change([abc], [0: ["a", "d", "e"]])
        adopt(abc, 1, &change)
        take(&change)
        change.onProved(0, epoch: 2)
        adopt(["a", "b"], 2, &change)
        #expect(change.next() == .wait(.init(adoption: ["d", "e"])))
        change.onAdopted("e", epoch: 2)
        let step = take(&change)
        #expect(step?.partitions[0].current == ["a", "d", "e"])
    }

    @Test("the new set does not stand alone before it is proved complete at this epoch")
    func proof() {
        var change = change([abc, abc], [0: bcd, 1: bcd])
        adopt(abc, 1, &change)
        take(&change)
        adopt(["a", "b", "c", "d"], 2, &change)
        #expect(change.next() == .wait(.init(proof: 2)))
        #expect(!proves(0, 1, &change))
        #expect(!proves(7, 2, &change))
        #expect(change.next() == .wait(.init(proof: 2)))
        #expect(proves(1, 2, &change))
        let next = take(&change)
        #expect(next?.partitions[0].next == bcd && next?.partitions[1] == PartitionReplicas(current: bcd, epoch: 3))
        #expect(!proves(1, 2, &change))
    }

    @Test("where one replica decides alone, all of a set must have adopted")
    func weakLevels() {
        let level = ConsistencyLevel(replicas: 3, write: 1, read: 1, delete: 2)!
        var change = RingChange(table: table([abc]), plan: plan([0: bcd]), level: level)
        adopt(["a", "b"], 1, &change)
        #expect(change.next() == .wait(.init(adoption: ["c"])))
        change.onAdopted("c", epoch: 1)
        let begun = take(&change)
        #expect(begun != nil)
    }

    @Test("so many partitions move at a time")
    func concurrency() {
        var change = change([abc, abc, abc, abc], [0: bcd, 1: bcd, 2: bcd, 3: bcd], movingMax: 2)
        adopt(abc, 1, &change)
        let step = take(&change)
        #expect(step?.partitions.map { $0.next.isEmpty } == [false, false, true, true])
        adopt(["a", "b", "c", "d"], 2, &change)
        change.onProved(0, epoch: 2)
        // One ends, the next one begins, in one step.
        let second = take(&change)
        #expect(second?.partitions.map { $0.next.isEmpty } == [true, false, false, true])
    }

    @Test("a pause lets what moves go on and begins nothing")
    func pause() {
        var change = change([abc, abc], [0: bcd, 1: bcd], movingMax: 1)
        adopt(abc, 1, &change)
        take(&change)
        var plan = change.plan
        plan.pause()
        change.installed(change.table, plan)
        adopt(["a", "b", "c", "d"], 2, &change)
        change.onProved(0, epoch: 2)
        take(&change)
        #expect(change.table.partitions.map(\.current) == [bcd, abc])
        #expect(change.next() == .wait(.init()))
        plan = change.plan
        plan.resume()
        change.installed(change.table, plan)
        let step = take(&change)
        #expect(step?.partitions[1].next == bcd)
    }

    @Test("a rollback takes back what is not finished, and needs nobody for it")
    func rollback() {
        var change = change([abc, abc, abc, abc], [0: bcd, 1: bcd, 2: bcd], movingMax: 2)
        adopt(abc, 1, &change)
        take(&change)
        adopt(["a", "b", "c", "d"], 2, &change)
        change.onProved(0, epoch: 2)
        take(&change)
        var plan = change.plan
        plan.rollBack(change.table)
        change.installed(change.table, plan)
        #expect(plan.phase == .returning && plan.open.keys.sorted() == [1, 2])
        take(&change)
        #expect(change.table.partitions.map(\.current) == [bcd, abc, abc, abc])
        #expect(!change.table.isMoving && change.plan.phase == .withdrawn)
    }

    @Test("a rollback before anything has begun is over at once")
    func earlyRollback() {
        var plan = plan([0: bcd])
        plan.rollBack(table([abc]))
        #expect(plan.phase == .withdrawn && plan.open.isEmpty)
    }

    /// The rule itself: whatever is adopted, proved and said by the operator, in whatever order.
    @Test("no two settings without a common quorum are in force together", arguments: 0..<200)
    func random(seed: UInt64) {
        var random = Numbers(seed: seed)
        let names: [NodeName] = ["a", "b", "c", "d", "e", "f"]
        func set() -> [NodeName] { Array(names.shuffled(using: &random).prefix(3)) }
        var change = change((0..<4).map { _ in set() }, [:])
        var truth = Adoptions(tables: [change.table])
        var steps = 0
        for id in 1...4 {
            let open = Dictionary(uniqueKeysWithValues: (0..<4).map { ($0, set()) })
                .filter { Set($0.value) != Set(change.table.partitions[$0.key].current) }
            change = RingChange(
                table: change.table,
                plan: RingPlan(
                    id: UInt64(id), phase: open.isEmpty ? .done : .running, open: open, partitionsTotal: open.count,
                    movesTotal: 0), level: .majority(of: 3), movingMax: 2)
            for _ in 0..<400 where !change.plan.isOver {
                disturb(&change, &truth, names, &random)
                guard Int.random(in: 0..<3, using: &random) == 0, let table = take(&change) else { continue }
                steps += 1
                truth.tables.append(table)
                #expect(truth.violation() == nil)
            }
            // Whatever is left goes back, so that the next plan can begin.
            var plan = change.plan
            plan.rollBack(change.table)
            change.installed(change.table, plan)
            while let table = take(&change) { truth.tables.append(table) }
            #expect(!change.table.isMoving)
            for replica in names { truth.adopted[replica] = change.table.epoch }
        }
        #expect(steps > 0)
    }

    private func disturb(
        _ change: inout RingChange, _ truth: inout Adoptions, _ names: [NodeName], _ random: inout Numbers
    ) {
        let node = names.randomElement(using: &random)!
        let epoch = UInt64.random(in: (truth.adopted[node] ?? 0)...change.table.epoch, using: &random)
        truth.adopted[node] = epoch
        if Bool.random(using: &random) { change.onAdopted(node, epoch: epoch) }
        let partition = Int.random(in: 0..<4, using: &random)
        if Bool.random(using: &random) {
            change.onProved(partition, epoch: UInt64.random(in: 1...change.table.epoch, using: &random))
        }
        var plan = change.plan
        switch Int.random(in: 0..<60, using: &random) {
        case 0: plan.pause()
        case 1, 2: plan.resume()
        case 3: plan.rollBack(change.table)
        default: break
        }
        change.installed(change.table, plan)
    }
}

/// What the nodes have really adopted, whoever knows of it.
private struct Adoptions {
    var tables: [RingTable]
    var adopted: [NodeName: UInt64] = [:]

    /// Two settings of one partition that both can still reach a majority of each of their sets, with no node in common
    /// by necessity.
    func violation() -> String? {
        for partition in tables[0].partitions.indices {
            var settings: [PartitionReplicas] = []
            for table in tables where settings.last?.epoch != table.partitions[partition].epoch {
                settings.append(table.partitions[partition])
            }
            let alive = settings.indices.filter { index in
                let end = index + 1 < settings.count ? settings[index + 1].epoch : .max
                return settings[index].sets.allSatisfy { canDecide($0, before: end) }
            }.map { settings[$0] }
            for (index, one) in alive.enumerated() {
                for other in alive[(index + 1)...] where !meet(one, other) {
                    return "partition \(partition): \(one) and \(other)"
                }
            }
        }
        return nil
    }

    /// Nodes refuse a setting when they have adopted the one that followed it.
    private func canDecide(_ set: [NodeName], before end: UInt64) -> Bool {
        2 * set.count { adopted[$0] ?? 0 < end } > set.count
    }

    private func meet(_ one: PartitionReplicas, _ other: PartitionReplicas) -> Bool {
        one.sets.contains { a in
            other.sets.contains { b in a.count / 2 + 1 + b.count / 2 + 1 > Set(a).union(b).count }
        }
    }
}
