import Model

/// Promises by key, oldest first out: a dictionary with a queue of the keys in the order of their last promise.
struct PromiseTable<Name: Hashable & Sendable>: Sendable {
    private struct Entry: Sendable {
        var ballot: Ballot
        var turn: UInt64
    }
    private var entries: [Name: Entry] = [:]
    /// Also holds turns that are over: a key promised again or removed. They are dropped when they come up.
    private var queue: [(name: Name, turn: UInt64)] = []
    private var head = 0
    private var turn: UInt64 = 0

    var count: Int { entries.count }
    var queueLength: Int { queue.count - head }

    subscript(_ name: Name) -> Ballot? { entries[name]?.ballot }

    mutating func set(_ name: Name, _ ballot: Ballot) {
        turn += 1
        entries[name] = Entry(ballot: ballot, turn: turn)
        queue.append((name, turn))
        compactIfSparse()
    }

    mutating func remove(_ name: Name) { entries[name] = nil }

    /// Forgets the key whose promise is the oldest and returns that promise.
    mutating func removeOldest() -> Ballot? {
        while head < queue.count {
            let (name, turn) = queue[head]
            head += 1
            guard let entry = entries[name], entry.turn == turn else { continue }
            entries[name] = nil
            return entry.ballot
        }
        return nil
    }

    /// Forgets every promise up to a ballot, itself included.
    mutating func removeAll(upTo ballot: Ballot) {
        entries = entries.filter { $0.value.ballot > ballot }
        compactIfSparse()
    }

    /// Keeps the queue within a small multiple of the entries.
    private mutating func compactIfSparse() {
        guard queue.count > 64, queue.count > 4 * entries.count else { return }
        queue = queue[head...].filter { entries[$0.name]?.turn == $0.turn }
        head = 0
    }
}
