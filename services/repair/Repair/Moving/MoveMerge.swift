import Model

/// Walks through the sorted contents of several replicas at once, page by page, and says of every key who has it under
/// which tag. A pure value: it says which replica's next page it needs.
struct MoveMerge<Key: Comparable & Sendable>: Sendable {
    enum Step: Sendable {
        /// Call `add` for this replica, then go on.
        case need(Int)
        /// By replica; nil: it does not have the key.
        case key(Key, tags: [Ballot?])
        case end
    }

    private struct Source: Sendable {
        var items: ArraySlice<PartitionMerge<Key>.Item> = []
        var last: Key?
        var isLast = false
    }

    private var sources: [Source]

    init(sources count: Int) { sources = Array(repeating: Source(), count: count) }

    /// The next page of a replica; an empty one is not the end.
    mutating func add(
        _ items: [PartitionMerge<Key>.Item], isLast: Bool, to source: Int
    ) throws(PartitionMerge<Key>.OutOfOrder) {
        for item in items {
            if let last = sources[source].last, item.key <= last { throw .init() }
            sources[source].last = item.key
        }
        sources[source].items += items
        sources[source].isLast = isLast
    }

    mutating func next() -> Step {
        if let source = sources.firstIndex(where: { $0.items.isEmpty && !$0.isLast }) { return .need(source) }
        guard let least = sources.compactMap({ $0.items.first?.key }).min() else { return .end }
        let tags = sources.indices.map { index -> Ballot? in
            guard sources[index].items.first?.key == least else { return nil }
            return sources[index].items.removeFirst().tag
        }
        return .key(least, tags: tags)
    }
}
