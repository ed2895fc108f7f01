import AccessTestKit
import Model
import Testing

@testable import Repair

@Suite struct PartitionMergeTests {
    private typealias Merge = PartitionMerge<Int>

    /// Feeds pages of this size and collects what differs.
    private func differing(_ replicas: [[(Int, UInt64)]], pageSize: Int) throws -> [Int] {
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
                try merge.add([], isLast: false, to: source)
                try merge.add(items, isLast: page.count == rest.count, to: source)
            case .differs(let key): found.append(key)
            case .end: return found
            }
        }
    }

    @Test("Missing keys and other tags are found", arguments: [1, 2, 100])
    func finds(pageSize: Int) throws {
        let found = try differing(
            [[(1, 1), (2, 1), (4, 1)], [(1, 1), (3, 1), (4, 2)], [(1, 1), (2, 1), (3, 1), (4, 1)]], pageSize: pageSize)
        #expect(found == [2, 3, 4])
    }

    @Test("Equal replicas have no differences, empty ones neither", arguments: [1, 3])
    func equal(pageSize: Int) throws {
        #expect(try differing([[(1, 1), (2, 2)], [(1, 1), (2, 2)]], pageSize: pageSize).isEmpty)
        #expect(try differing([[], []], pageSize: pageSize).isEmpty)
        #expect(try differing([[], [(7, 1)]], pageSize: pageSize) == [7])
    }

    @Test("Random replicas: exactly what a dictionary says", arguments: 1...20 as ClosedRange<UInt64>)
    func model(seed: UInt64) throws {
        var random = SplitMix(state: seed)
        let replicas: [[Int: UInt64]] = (0..<3).map { _ in
            Dictionary(
                uniqueKeysWithValues: (0..<30).filter { _ in Int.random(in: 0..<10, using: &random) > 0 }.map {
                    ($0, UInt64.random(in: 1...10, using: &random) > 1 ? 5 : 6)
                })
        }
        let expected = (0..<30).filter { key in Set(replicas.map { $0[key] }).count > 1 }
        let lists = replicas.map { replica in replica.sorted { $0.key < $1.key }.map { ($0.key, $0.value) } }
        #expect(try differing(lists, pageSize: Int.random(in: 1...7, using: &random)) == expected)
    }

    @Test("A replica whose pages are out of order is not compared wrongly")
    func outOfOrder() throws {
        var merge = Merge(sources: 1)
        try merge.add([.init(key: 5, tag: .zero)], isLast: false, to: 0)
        #expect(throws: Merge.OutOfOrder.self) { try merge.add([.init(key: 5, tag: .zero)], isLast: true, to: 0) }
    }
}
