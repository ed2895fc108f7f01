/// A table whose entries are found by a number that is never given twice: slot and generation.
struct SlotTable<Element> {
    private var slots: [(generation: UInt32, element: Element?)] = []
    private var free: [UInt32] = []

    var count: Int { slots.count - free.count }
    var isEmpty: Bool { count == 0 }

    mutating func insert(_ element: Element) -> UInt64 {
        guard let slot = free.popLast() else {
            slots.append((1, element))
            return Self.number(UInt32(slots.count - 1), 1)
        }
        slots[Int(slot)].element = element
        return Self.number(slot, slots[Int(slot)].generation)
    }

    subscript(number: UInt64) -> Element? {
        guard let slot = find(number) else { return nil }
        return slots[slot].element
    }

    mutating func remove(_ number: UInt64) -> Element? {
        guard let slot = find(number), let element = slots[slot].element else { return nil }
        slots[slot] = (slots[slot].generation &+ 1, nil)
        free.append(UInt32(slot))
        return element
    }

    /// The numbers of the entries that satisfy a condition.
    func numbers(where condition: (Element) -> Bool) -> [UInt64] {
        slots.indices.compactMap { index in
            guard let element = slots[index].element, condition(element) else { return nil }
            return Self.number(UInt32(index), slots[index].generation)
        }
    }

    private func find(_ number: UInt64) -> Int? {
        let slot = Int(number & 0xffff_ffff)
        guard slot < slots.count, slots[slot].generation == UInt32(number >> 32) else { return nil }
        return slot
    }

    private static func number(_ slot: UInt32, _ generation: UInt32) -> UInt64 {
        UInt64(generation) << 32 | UInt64(slot)
    }
}
