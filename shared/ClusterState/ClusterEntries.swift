import Wire

/// All entries of the state as they came, whether this version knows their keys or not. What a mirror persists.
struct ClusterEntries: Sendable {
    private(set) var revision: UInt64 = 0
    private(set) var values: [String: StateEntry] = [:]

    init() {}

    init(_ snapshot: FetchStateReply) {
        revision = snapshot.revision
        for entry in snapshot.entries where !entry.deleted { values[entry.key] = entry }
    }

    var snapshot: FetchStateReply {
        FetchStateReply(revision: revision, complete: true, entries: values.values.sorted { $0.key < $1.key })
    }

    /// Takes over what a manager answered and says what changed; nil when it is not newer than what is here.
    mutating func merge(_ reply: FetchStateReply) -> [StateEntry]? {
        guard reply.revision > revision else { return nil }
        var changes = reply.entries
        if reply.complete {
            let kept = Set(reply.entries.lazy.filter { !$0.deleted }.map(\.key))
            changes += values.keys.filter { !kept.contains($0) }
                .map { StateEntry(key: $0, deleted: true, revision: reply.revision) }
        }
        for change in changes {
            values[change.key] = change.deleted ? nil : change
        }
        revision = reply.revision
        return changes
    }
}
