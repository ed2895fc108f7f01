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

    private func merged(_ answers: [ListAnswer]) -> (entries: [MergedEntry], horizon: ListPosition?) {
        var merge = ListMerge(answers)
        var entries: [MergedEntry] = []
        while let entry = merge.next() { entries.append(entry) }
        return (entries, merge.horizon)
    }

    private func texts(_ entries: [MergedEntry]) -> [String] { entries.map { String(decoding: $0.key, as: UTF8.self) } }

    @Test("Keys come once, in order, whoever has them")
    func order() {
        let (entries, horizon) = merged([
            ListAnswer(node: "a", entries: [key("b", 1), key("d", 1)], truncated: false),
            ListAnswer(node: "b", entries: [key("a", 1), key("b", 1), key("é", 1)], truncated: false),
            ListAnswer(node: "c", entries: [], truncated: false),
        ])
        #expect(texts(entries) == ["a", "b", "d", "é"])
        #expect(horizon == nil)
    }

    @Test("The highest tag wins, and its holders are told")
    func highestTag() {
        let (entries, _) = merged([
            ListAnswer(node: "a", entries: [key("k", 2)], truncated: false),
            ListAnswer(node: "b", entries: [key("k", 5, deleted: true)], truncated: false),
            ListAnswer(node: "c", entries: [key("k", 5, deleted: true)], truncated: false),
        ])
        guard case .key(let top, let holders)? = entries.first?.kind else { return #expect(Bool(false)) }
        #expect(top.deleted && holders == [1, 2])
    }

    @Test("Nothing behind the last entry of an answer that was cut off is shown")
    func horizon() {
        let (entries, horizon) = merged([
            ListAnswer(node: "a", entries: [key("a", 1), key("b", 1)], truncated: true),
            ListAnswer(node: "b", entries: [key("a", 1), key("c", 1), key("d", 1)], truncated: true),
        ])
        #expect(texts(entries) == ["a", "b"])
        #expect(horizon == ListPosition(key: Array("b".utf8)))
    }

    @Test("A horizon at a common prefix skips what the prefix rolls up")
    func prefixHorizon() {
        let (entries, horizon) = merged([
            ListAnswer(node: "a", entries: [prefix("p/", witness: "p/1", 1)], truncated: true),
            ListAnswer(node: "b", entries: [prefix("p/", witness: "p/1", 1), key("q", 1)], truncated: false),
        ])
        #expect(texts(entries) == ["p/"])
        #expect(horizon == ListPosition(key: Array("p/".utf8), isPrefix: true))
    }

    @Test("Witnesses of a common prefix are kept apart by key and tag, in order")
    func witnesses() {
        let (entries, _) = merged([
            ListAnswer(node: "a", entries: [prefix("p/", witness: "p/2", 1)], truncated: false),
            ListAnswer(node: "b", entries: [prefix("p/", witness: "p/1", 1)], truncated: false),
            ListAnswer(node: "c", entries: [prefix("p/", witness: "p/2", 1)], truncated: false),
        ])
        guard case .commonPrefix(let witnesses)? = entries.first?.kind else { return #expect(Bool(false)) }
        #expect(witnesses.map(\.holders) == [[1], [0, 2]])
    }

    // MARK: - Judging

    private let nodes: [NodeName] = ["a", "b", "c", "d"]

    private func judge(answered: [NodeName]) -> ListJudge {
        ListJudge(
            ring: ring, level: .majority(of: 3), bucket: BucketID(high: 1, low: 1), keyspace: .objects, nodes: answered)
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
}
