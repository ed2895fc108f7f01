/// Things ordered by when they are due. Removal is lazy: the owner skips what is no longer of interest.
struct DeadlineHeap<Element> {
    private var entries: [(due: UInt64, element: Element)] = []

    var isEmpty: Bool { entries.isEmpty }
    var first: (due: UInt64, element: Element)? { entries.first }

    mutating func removeAll() { entries.removeAll(keepingCapacity: true) }

    /// Cheap when `due` is later than most: deadlines of equal timeouts come in order.
    mutating func insert(_ element: Element, due: UInt64) {
        entries.append((due, element))
        var child = entries.count - 1
        while child > 0 {
            let parent = (child - 1) / 2
            if entries[parent].due <= entries[child].due { return }
            entries.swapAt(parent, child)
            child = parent
        }
    }

    mutating func removeFirst() -> Element {
        entries.swapAt(0, entries.count - 1)
        let element = entries.removeLast().element
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2]
            where child < entries.count && entries[child].due < entries[least].due {
                least = child
            }
            if least == parent { return element }
            entries.swapAt(parent, least)
            parent = least
        }
    }
}
