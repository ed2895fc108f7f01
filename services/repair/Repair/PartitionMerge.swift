import Model

/// Compares the sorted contents of several replicas, page by page, and finds the keys that differ. A pure value: it
/// says which replica's next page it needs.
struct PartitionMerge<Key: Comparable & Sendable>: Sendable {
    struct Item: Sendable {
        var key: Key
        /// Chunks have none: being there is all.
        var tag: Ballot
    }

    enum Step: Sendable {
        /// Call `add` for this replica, then go on.
        case need(Int)
        case differs(Key)
        case end
    }

    /// A replica's page goes back behind what it sent before.
    struct OutOfOrder: Error {}

    private struct Source: Sendable {
        var items: ArraySlice<Item> = []
        var last: Key?
        var isLast = false
    }

    private var sources: [Source]
    /// Keys seen so far.
    private(set) var compared = 0

    init(sources count: Int) { sources = Array(repeating: Source(), count: count) }

    /// The next page of a replica; an empty one is not the end.
    mutating func add(_ items: [Item], isLast: Bool, to source: Int) throws(OutOfOrder) {
        for item in items {
            if let last = sources[source].last, item.key <= last { throw OutOfOrder() }
            sources[source].last = item.key
        }
        sources[source].items += items
        sources[source].isLast = isLast
    }

    mutating func next() -> Step {
        while true {
            if let source = sources.firstIndex(where: { $0.items.isEmpty && !$0.isLast }) { return .need(source) }
            guard let least = sources.compactMap({ $0.items.first?.key }).min() else { return .end }
            compared += 1
            if !takeAll(least) { return .differs(least) }
        }
    }

    /// Moves behind the key; returns whether all replicas have it under one tag.
    private mutating func takeAll(_ key: Key) -> Bool {
        var tags: [Ballot?] = []
        for index in sources.indices {
            var tag: Ballot?
            while let item = sources[index].items.first, item.key == key {
                tag = item.tag
                sources[index].items.removeFirst()
            }
            tags.append(tag)
        }
        return tags.allSatisfy { $0 != nil && $0 == tags[0] }
    }
}
