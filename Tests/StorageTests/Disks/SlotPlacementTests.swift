import Testing

@testable import Storage

@Suite struct SlotPlacementTests {
    private func shares(_ weights: [Int]) -> [SlotPlacement.Share] {
        weights.enumerated().map { .init(disk: $0, weight: $1) }
    }

    private func placed(_ weights: [Int], from present: [Int]? = nil) -> [Int] {
        SlotPlacement.slots(
            from: present ?? Array(repeating: -1, count: DiskTable.slotCount), shares: shares(weights))
    }

    private func counts(_ slots: [Int], _ disks: Int) -> [Int] {
        (0..<disks).map { disk in slots.count { $0 == disk } }
    }

    @Test(
        "Each disk gets its share of the slots, within one slot",
        arguments: [
            [1], [1, 1], [1, 1, 1], [1, 2, 4], [4000, 4000, 8000, 16000], [1, 1_000_000_000],
            Array(repeating: 7, count: 24),
        ])
    func balance(_ weights: [Int]) {
        let counts = counts(placed(weights), weights.count)
        #expect(counts.reduce(0, +) == 256)
        let total = Double(weights.reduce(0, +))
        for (count, weight) in zip(counts, weights) {
            #expect(abs(Double(count) - 256 * Double(weight) / total) <= 1)
        }
    }

    @Test("The answer is the same each time, and placing what is placed moves nothing")
    func stable() {
        for weights in [[1, 1], [3, 5, 9], [100, 1, 17, 40]] {
            let first = placed(weights)
            #expect(placed(weights) == first)
            #expect(placed(weights, from: first) == first)
        }
    }

    @Test("A disk that is added only takes, from each no more than its share, and the others give each other nothing")
    func adding() {
        var present = placed([10, 10])
        for disks in 3...12 {
            let next = placed(Array(repeating: 10, count: disks), from: present)
            for slot in next.indices where next[slot] != present[slot] { #expect(next[slot] == disks - 1) }
            let moved = zip(present, next).count { $0 != $1 }
            #expect(moved == counts(next, disks)[disks - 1])
            present = next
        }
    }

    @Test("When a disk goes, only its slots move, and all of them")
    func removing() {
        let present = placed([5, 7, 9, 11])
        let left = shares([5, 7, 9, 11]).filter { $0.disk != 2 }
        let next = SlotPlacement.slots(from: present, shares: left)
        for slot in next.indices {
            #expect(next[slot] != 2)
            if present[slot] != 2 { #expect(next[slot] == present[slot]) }
        }
    }

    @Test("Another weight moves the difference and no more")
    func reweighing() {
        let present = placed([1, 1])
        let next = placed([1, 3], from: present)
        #expect(counts(next, 2) == [64, 192])
        #expect(zip(present, next).count { $0 != $1 } == 64)
    }

    @Test("Without any disk nothing moves")
    func nowhere() {
        #expect(SlotPlacement.slots(from: [0, 1, 0], shares: []) == [0, 1, 0])
    }

    @Test("Random sets of disks: balanced, deterministic, as few moves as the shares demand")
    func random() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<50 {
            let weights = (0..<Int.random(in: 1...20, using: &generator)).map { _ in
                Int.random(in: 1...50_000, using: &generator)
            }
            let present = (0..<256).map { _ in Int.random(in: -1..<weights.count + 2, using: &generator) }
            let next = placed(weights, from: present)
            let quotas = SlotPlacement.quotas(shares(weights))
            #expect(counts(next, weights.count) == weights.indices.map { quotas[$0]! })
            let kept = weights.indices.reduce(0) { sum, disk in
                sum + min(quotas[disk]!, present.count { $0 == disk })
            }
            #expect(zip(present, next).count { $0 == $1 } == kept)
        }
    }
}
