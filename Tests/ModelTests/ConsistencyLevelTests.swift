import Model
import Testing

@Suite("Consistency level")
struct ConsistencyLevelTests {
    private func level(_ replicas: Int, _ write: Int, _ read: Int, _ delete: Int) -> ConsistencyLevel {
        ConsistencyLevel(replicas: replicas, write: write, read: read, delete: delete)!
    }

    @Test("Majorities are majorities in sets of every size", arguments: 1...7, 1...7)
    func majorities(replicas: Int, size: Int) {
        #expect(ConsistencyLevel.majority(of: replicas).inSet(of: size) == .majority(of: size))
    }

    @Test("What is above a majority may miss as many replicas, what is below it stays small")
    func others() {
        #expect(level(3, 3, 1, 3).inSet(of: 5) == level(5, 5, 1, 5))
        #expect(level(5, 5, 1, 5).inSet(of: 3) == level(3, 3, 1, 3))
        #expect(level(5, 4, 2, 3).inSet(of: 3) == level(3, 2, 2, 2))
        #expect(level(5, 2, 2, 1).inSet(of: 1) == level(1, 1, 1, 1))
        #expect(level(5, 4, 4, 5).inSet(of: 7) == level(7, 6, 6, 7))
    }

    /// While the number of replicas changes some processes count by the old level and some by the new one.
    @Test("Linearizable levels meet in every set, whichever of two a process counts by", arguments: 1...7)
    func meeting(size: Int) {
        let levels = (1...7).flatMap { replicas -> [ConsistencyLevel] in
            let all = 1...replicas
            return all.flatMap { write in
                all.compactMap { read in
                    ConsistencyLevel(replicas: replicas, write: write, read: read, delete: write)
                }
            }
        }.filter(\.isLinearizable).map { $0.inSet(of: size) }
        for one in levels {
            #expect(one.isLinearizable && one.replicas == size)
            for other in levels { #expect(one.write + other.read > size && one.write + other.write > size) }
        }
    }
}
