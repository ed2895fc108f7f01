import Model
import Wire

/// What one storage node answered: its entries in the order of the listing.
struct ListAnswer: Sendable {
    var node: NodeName
    var entries: [ListEntry]
    /// How far it reaches; nil: that is all.
    var end: ListPosition?
}

/// What all answers together say about one key or common prefix.
struct MergedEntry: Sendable {
    /// A live key below a common prefix, and the answers (by index) that have it under this tag.
    struct Witness: Sendable {
        var key: [UInt8]
        var tag: Ballot
        var holders: [Int]
    }

    enum Kind: Sendable {
        /// The entry with the highest tag, and the answers that have that tag.
        case key(top: ListEntry, holders: [Int])
        /// In the order of the listing by the witnesses' keys.
        case commonPrefix([Witness])
    }

    var key: [UInt8]
    var kind: Kind

    var position: ListPosition {
        if case .commonPrefix = kind { ListPosition(key: key, isPrefix: true) } else { ListPosition(key: key) }
    }
}

/// The ordered merge of the answers of several nodes. A pure value.
///
/// An answer that was cut off says nothing about keys behind its end, so the merge ends at the first of these ends: its
/// horizon. It may be inside a common prefix: then a witness behind it is none, as there may be an earlier one.
struct ListMerge: Sendable {
    private let answers: [ListAnswer]
    private let direction: ListDirection
    private var cursors: [Int]
    /// nil: nothing was cut off, the merge shows everything.
    let horizon: ListPosition?
    private var lastPrefix: [UInt8]?

    init(_ answers: [ListAnswer], _ direction: ListDirection = .forward) {
        self.answers = answers
        self.direction = direction
        cursors = Array(repeating: 0, count: answers.count)
        horizon = answers.compactMap(\.end).min { $0.precedes($1, direction) }
    }

    /// Where the next round of requests goes on, when all has been taken: at the horizon, or behind the common prefix in
    /// which it lies, if that was shown already. nil: there is nothing more.
    var continuation: ListPosition? {
        guard let horizon, let lastPrefix, horizon.key.starts(with: lastPrefix) else { return horizon }
        return ListPosition(key: lastPrefix, isPrefix: true)
    }

    /// The next key or common prefix; nil at the end or at the horizon.
    mutating func next() -> MergedEntry? {
        guard let foremost = foremostAnswer else { return nil }
        let first = answers[foremost].entries[cursors[foremost]]
        guard first.commonPrefix else { return isShown(first.key) ? mergeKey(first) : nil }
        return mergePrefix(first)
    }

    private func isShown(_ key: [UInt8]) -> Bool { horizon?.covers(key, direction) ?? true }

    private var foremostAnswer: Int? {
        var foremost: Int?
        for index in answers.indices where cursors[index] < answers[index].entries.count {
            guard let best = foremost else {
                foremost = index
                continue
            }
            let candidate = answers[index].entries[cursors[index]].key
            if direction.precedes(candidate, answers[best].entries[cursors[best]].key) { foremost = index }
        }
        return foremost
    }

    private mutating func mergeKey(_ first: ListEntry) -> MergedEntry {
        var top = first
        var topTag = Ballot(first.tag)
        var holders: [Int] = []
        takeAll(first.key) { index, entry in
            let tag = Ballot(entry.tag)
            if tag > topTag {
                top = entry
                topTag = tag
                holders.removeAll(keepingCapacity: true)
            }
            if tag == topTag { holders.append(index) }
        }
        return MergedEntry(key: first.key, kind: .key(top: top, holders: holders))
    }

    /// nil: all witnesses are behind the horizon, as is everything else.
    private mutating func mergePrefix(_ first: ListEntry) -> MergedEntry? {
        var witnesses: [MergedEntry.Witness] = []
        takeAll(first.key) { [horizon, direction] index, entry in
            guard horizon?.covers(entry.witness, direction) ?? true else { return }
            let tag = Ballot(entry.tag)
            if let known = witnesses.firstIndex(where: { $0.tag == tag && $0.key == entry.witness }) {
                witnesses[known].holders.append(index)
            } else {
                witnesses.append(.init(key: entry.witness, tag: tag, holders: [index]))
            }
        }
        guard !witnesses.isEmpty else { return nil }
        lastPrefix = first.key
        witnesses.sort { [direction] in direction.precedes($0.key, $1.key) }
        return MergedEntry(key: first.key, kind: .commonPrefix(witnesses))
    }

    /// Visits the entries with this key and moves behind them.
    private mutating func takeAll(_ key: [UInt8], _ visit: (Int, ListEntry) -> Void) {
        for index in answers.indices {
            while cursors[index] < answers[index].entries.count, answers[index].entries[cursors[index]].key == key {
                visit(index, answers[index].entries[cursors[index]])
                cursors[index] += 1
            }
        }
    }
}
