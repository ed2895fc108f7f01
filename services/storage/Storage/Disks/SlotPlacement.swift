/// Which disk of a node each slot should be on: shares by weight, with the least movement from what is.
///
/// Pure and deterministic: the same disks and slots give the same answer, so a plan needs no storing. A disk that is
/// added only takes slots from others, a disk that goes only gives.
enum SlotPlacement {
    /// A disk that may hold slots, and its share of them in any unit (GiB of its capacity, or what was configured).
    struct Share: Equatable {
        var disk: Int
        var weight: Int
    }

    static let weights = 1...1_000_000_000

    /// How many slots each disk should hold. Highest averages after Webster: a further disk never gives another one more.
    static func quotas(_ shares: [Share], slots: Int = DiskTable.slotCount) -> [Int: Int] {
        var quotas = Dictionary(uniqueKeysWithValues: shares.map { ($0.disk, 0) })
        guard !shares.isEmpty else { return quotas }
        for _ in 0..<slots {
            let next = shares.max { a, b in
                let left = a.weight * (2 * quotas[b.disk]! + 1)
                let right = b.weight * (2 * quotas[a.disk]! + 1)
                // Of equals the disk with the lower number is next.
                return left == right ? a.disk > b.disk : left < right
            }
            quotas[next!.disk]! += 1
        }
        return quotas
    }

    /// The disk of each slot. Slots of disks that are not in `shares` move, and no more than must.
    static func slots(from present: [Int], shares: [Share]) -> [Int] {
        var room = quotas(shares, slots: present.count)
        guard !room.isEmpty else { return present }
        var placed = present
        var homeless: [Int] = []
        for (slot, disk) in present.enumerated() {
            if let left = room[disk], left > 0 { room[disk] = left - 1 } else { homeless.append(slot) }
        }
        for slot in homeless {
            // Alternating between the disks that have most room spreads the work over them.
            let disk = room.max { $0.value == $1.value ? $0.key > $1.key : $0.value < $1.value }!.key
            placed[slot] = disk
            room[disk]! -= 1
        }
        return placed
    }
}
