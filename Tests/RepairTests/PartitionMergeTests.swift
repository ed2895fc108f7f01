import AccessTestKit
import Model
import Testing

@testable import Repair

@Suite struct PartitionMergeTests {
    private typealias Merge = PartitionMerge<Int>

    /// Feeds pages of this size and collects what differs.
    private func differing(_ replicas: [[(Int, UInt64)]], pageSize: Int) -> [Int] {
        var merge = Merge(sources: replicas.count)
        var positions = Array(repeating: 0, count: replicas.count)
        var found: [Int] = []
        while true {
            switch merge.next() {
            case .need(let source):
                let rest = replicas[source].dropFirst(positions[source])
                let page = rest.prefix(pageSize)
                positions[source] += page.count
                let items = page.map { Merge.Item(key: $0.0, tag: Ballot(counter: $0.1, writer: 1)) }
                merge.add(items, isLast: page.count == rest.count, to: source)
            case .differs(let key): found.append(key)
            case .end: return found
            }
        }
    }

    @Test("Missing keys and other tags are found", arguments: [1, 2, 100])
    func finds(pageSize: Int) {
        let found = differing(
            [[(1, 1), (2, 1), (4, 1)], [(1, 1), (3, 1), (4, 2)], [(1, 1), (2, 1), (3, 1), (4, 1)]], pageSize: pageSize)
        #expect(found == [2, 3, 4])
    }

    @Test("Equal replicas have no differences, empty ones neither", arguments: [1, 3])
    func equal(pageSize: Int) {
        #expect(differing([[(1, 1), (2, 2)], [(1, 1), (2, 2)]], pageSize: pageSize).isEmpty)
        #expect(differing([[], []], pageSize: pageSize).isEmpty)
        #expect(differing([[], [(7, 1)]], pageSize: pageSize) == [7])
    }

    @Test("Random replicas: exactly what a dictionary says", arguments: 1...20 as ClosedRange<UInt64>)
    func model(seed: UInt64) {
        var random = SplitMix(state: seed)
        let replicas: [[Int: UInt64]] = (0..<3).map { _ in
            Dictionary(
                uniqueKeysWithValues: (0..<30).filter { _ in Int.random(in: 0..<10, using: &random) > 0 }.map {
                    ($0, UInt64.random(in: 1...10, using: &random) > 1 ? 5 : 6)
                })
        }
        let expected = (0..<30).filter { key in Set(replicas.map { $0[key] }).count > 1 }
        let lists = replicas.map { replica in replica.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
        #expect(differing(lists, pageSize: Int.random(in: 1...7, using: &random)) == expected)
    }
}
