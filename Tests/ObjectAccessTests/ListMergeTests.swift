import Model
import Ring
import Testing
import Wire

@testable import ObjectAccess

@Suite struct ListMergeTests {
    private func key(_ text: String, _ counter: UInt64, deleted: Bool = false) -> ListEntry {
        ListEntry(key: Array(text.utf8), tag: BallotNumber(counter: counter, writer: 1), deleted: deleted)
    }

    private func prefix(_ text: String, witness: String, _ counter: UInt64) -> ListEntry {
        ListEntry(
            key: Array(text.utf8), commonPrefix: true, witness: Array(witness.utf8),
            tag: BallotNumber(counter: counter, writer: 1))
    }

    private func answer(_ node: NodeName, _ entries: [ListEntry], end: ListPosition? = nil) -> ListAnswer {
        ListAnswer(node: node, entries: entries, end: end)
    }

    private func at(_ key: String, isPrefix: Bool = false) -> ListPosition {
        ListPosition(key: Array(key.utf8), isPrefix: isPrefix)
    }

    private func merged(
        _ answers: [ListAnswer], _ direction: ListDirection = .forward
    ) -> (entries: [MergedEntry], next: ListPosition?) {
        var merge = ListMerge(answers, direction)
        var entries: [MergedEntry] = []
        while let entry = merge.next() { entries.append(entry) }
        return (entries, merge.continuation)
    }

    private func texts(_ entries: [MergedEntry]) -> [String] { entries.map { String(decoding: $0.key, as: UTF8.self) } }

    @Test("Keys come once, in order, whoever has them")
    func order() {
        let (entries, next) = merged([
            answer("a", [key("b", 1), key("d", 1)]),
            answer("b", [key("a", 1), key("b", 1), key("é", 1)]),
            answer("c", []),
        ])
        #expect(texts(entries) == ["a", "b", "d", "é"])
        #expect(next == nil)
    }

    @Test("The highest tag wins, and its holders are told")
    func highestTag() {
        let (entries, _) = merged([
            answer("a", [key("k", 2)]),
            answer("b", [key("k", 5, deleted: true)]),
            answer("c", [key("k", 5, deleted: true)]),
        ])
        guard case .key(let top, let holders)? = entries.first?.kind else { return #expect(Bool(false)) }
        #expect(top.deleted && holders == [1, 2])
    }

    @Test("Nothing behind the last entry of an answer that was cut off is shown")
    func horizon() {
        let (entries, next) = merged([
            answer("a", [key("a", 1), key("b", 1)], end: at("b")),
            answer("b", [key("a", 1), key("c", 1), key("d", 1)], end: at("d")),
        ])
        #expect(texts(entries) == ["a", "b"])
        #expect(next == at("b"))
    }

    @Test("A horizon at a common prefix skips what the prefix rolls up")
    func prefixHorizon() {
        let (entries, next) = merged([
            answer("a", [prefix("p/", witness: "p/1", 1)], end: at("p/", isPrefix: true)),
            answer("b", [prefix("p/", witness: "p/1", 1), key("q", 1)]),
        ])
        #expect(texts(entries) == ["p/"])
        #expect(next == at("p/", isPrefix: true))
    }

    @Test("An empty answer that was cut off holds the others back")
    func emptyAnswer() {
        let (entries, next) = merged([
            answer("a", [], end: at("c")), answer("b", [key("b", 1), key("d", 1)]), answer("c", [key("c", 1)]),
        ])
        #expect(texts(entries) == ["b", "c"])
        #expect(next == at("c"))
    }

    @Test(
        "A horizon inside a common prefix: witnesses up to it show the prefix, which is then skipped; later ones do not"
    )
    func horizonInsidePrefix() {
        let cutOff = answer("a", [], end: at("p/5"))
        let shown = merged([cutOff, answer("b", [prefix("p/", witness: "p/3", 1), key("q", 1)])])
        #expect(texts(shown.entries) == ["p/"])
        #expect(shown.next == at("p/", isPrefix: true))
        let open = merged([cutOff, answer("b", [prefix("p/", witness: "p/7", 1), key("q", 1)])])
        #expect(open.entries.isEmpty)
        #expect(open.next == at("p/5"))
        let whole = answer("b", [prefix("p/", witness: "p/7", 1)], end: at("p/", isPrefix: true))
        #expect(merged([cutOff, whole]).next == at("p/5"), "the prefix's end is behind every key in it")
        #expect(merged([cutOff, whole]).entries.isEmpty)
    }

    @Test("Backwards the last key comes first, and the merge ends at the greatest end of an answer that was cut off")
    func backwards() {
        let (entries, next) = merged(
            [
                answer("a", [key("d", 1), key("c", 1)], end: at("c")),
                answer("b", [key("é", 1), key("c", 2), key("b", 1)]),
            ], .backward)
        #expect(texts(entries) == ["é", "d", "c"])
        #expect(next == at("c"))
    }

    @Test("Backwards a horizon inside a common prefix: only witnesses that are not below it show the prefix")
    func backwardsInsidePrefix() {
        let cutOff = answer("a", [], end: at("p/5"))
        let shown = merged([cutOff, answer("b", [prefix("p/", witness: "p/7", 1), key("a", 1)])], .backward)
        #expect(texts(shown.entries) == ["p/"])
        #expect(shown.next == at("p/", isPrefix: true))
        let open = merged([cutOff, answer("b", [prefix("p/", witness: "p/3", 1), key("a", 1)])], .backward)
        #expect(open.entries.isEmpty)
        #expect(open.next == at("p/5"))
    }

    @Test("Positions are ordered by how far they reach")
    func positions() {
        let inOrder = [
            at("a"), at("p/"), at("p/5"), at("p/5/", isPrefix: true), at("p/", isPrefix: true), at("p0"), at("q"),
        ]
        for (left, a) in inOrder.enumerated() {
            for (right, b) in inOrder.enumerated() { #expect(a.precedes(b) == (left < right), "\(a) \(b)") }
        }
        #expect(at("p/", isPrefix: true).covers(Array("p/9".utf8)))
        #expect(!at("p/").covers(Array("p/9".utf8)))
        #expect(at("p/").covers(Array("p/".utf8)))
    }

    @Test("Backwards a common prefix reaches as far as its first key")
    func positionsBackwards() {
        let inOrder = [at("q"), at("p0"), at("p/9"), at("p/5/", isPrefix: true), at("p/5"), at("p/", isPrefix: true)]
        for (left, a) in inOrder.enumerated() {
            for (right, b) in inOrder.enumerated() { #expect(a.precedes(b, .backward) == (left < right), "\(a) \(b)") }
        }
        for key in ["p/", "p/9", "p0", "q"] {
            #expect(at("p/", isPrefix: true).covers(Array(key.utf8), .backward))
            #expect(at("p/").covers(Array(key.utf8), .backward))
        }
        #expect(!at("p/", isPrefix: true).covers(Array("p".utf8), .backward))
    }

    @Test("Witnesses of a common prefix are kept apart by key and tag, in order")
    func witnesses() {
        let (entries, _) = merged([
            answer("a", [prefix("p/", witness: "p/2", 1)]),
            answer("b", [prefix("p/", witness: "p/1", 1)]),
            answer("c", [prefix("p/", witness: "p/2", 1)]),
        ])
        guard case .commonPrefix(let witnesses)? = entries.first?.kind else { return #expect(Bool(false)) }
        #expect(witnesses.map(\.holders) == [[1], [0, 2]])
    }

    // MARK: - Judging

    private let nodes: [NodeName] = ["a", "b", "c", "d"]

    private func judge(
        answered: [NodeName], level: ConsistencyLevel = .majority(of: 3), hasTombstones: Bool = true
    ) -> ListJudge {
        ListJudge(
            ring: ring, level: level, bucket: BucketID(high: 1, low: 1), keyspace: .objects,
            hasTombstones: hasTombstones, nodes: answered)
    }

    /// Partition 0 is on a, b, c; partition 1 on b, c, d.
    private var ring: RingTable {
        RingTable(
            epoch: 1, hashKey: [UInt8](repeating: 1, count: 16),
            partitions: [
                PartitionReplicas(current: ["a", "b", "c"]), PartitionReplicas(current: ["b", "c", "d"]),
            ])!
    }

    @Test("A listing needs a read quorum of every partition")
    func coverage() {
        let level = ConsistencyLevel.majority(of: 3)
        #expect(ListJudge.covers(ring, level, answered: ["a", "b", "d"]))
        #expect(ListJudge.covers(ring, level, answered: ["b", "c"]))
        #expect(!ListJudge.covers(ring, level, answered: ["a", "b"]))
        #expect(!ListJudge.covers(ring, level, answered: []))
    }

    @Test("A key is certain when a quorum of its own replicas agrees")
    func verdicts() {
        let all = judge(answered: nodes)
        let inFirst = (0...).lazy.map { "k\($0)" }.first { ring.partition(of: all.name(Array($0.utf8))) == 0 }!
        func verdict(_ holders: [Int], deleted: Bool = false) -> ListJudge.Verdict {
            all.verdict(
                MergedEntry(
                    key: Array(inFirst.utf8), kind: .key(top: key(inFirst, 1, deleted: deleted), holders: holders)))
        }
        #expect(verdict([0, 1, 2]) == .live)
        #expect(verdict([0, 2]) == .live)
        #expect(verdict([1]) == .unsettled)
        #expect(verdict([2, 3]) == .unsettled, "d is no replica of this key")
        #expect(verdict([0, 1], deleted: true) == .gone)
        #expect(verdict([0], deleted: true) == .unsettled)
    }

    @Test(
        "Without tombstones a key is certain only when it was read by a quorum and decided: it may be deleted since",
        arguments: [
            ConsistencyLevel(replicas: 3, write: 1, read: 3, delete: 1),
            .init(replicas: 3, write: 3, read: 1, delete: 3),
        ])
    func verdictsWithoutTombstones(level: ConsistencyLevel?) throws {
        for hasTombstones in [true, false] {
            let judge = judge(answered: nodes, level: try #require(level), hasTombstones: hasTombstones)
            let inFirst = (0...).lazy.map { "k\($0)" }.first { ring.partition(of: judge.name(Array($0.utf8))) == 0 }!
            func verdict(_ holders: [Int]) -> ListJudge.Verdict {
                judge.verdict(
                    MergedEntry(key: Array(inFirst.utf8), kind: .key(top: key(inFirst, 1), holders: holders)))
            }
            #expect(verdict([1]) == (hasTombstones ? .live : .unsettled))
            #expect(verdict([0, 1, 2]) == .live)
        }
    }
}
