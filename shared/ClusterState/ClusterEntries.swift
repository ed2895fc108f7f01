import Model
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
        changes.removeAll { !mayReplace($0) }
        keepMembersOfRing(&changes)
        install(changes)
        revision = reply.revision
        return changes
    }

    private mutating func install(_ changes: [StateEntry]) {
        for change in changes { values[change.key] = change.deleted ? nil : change }
    }

    /// What a peer knew later than any manager that this process has heard stays until a manager knows it too. And a
    /// ring never gives way to an older one, not even to one from a restored backup: what was written by the newer one
    /// would not be found.
    private func mayReplace(_ change: StateEntry) -> Bool {
        guard Self.isPlacement(change.key), let present = values[change.key] else { return true }
        if change.key == ClusterKeys.ring { return Self.ringEpoch(change) >= Self.ringEpoch(present) }
        return change.deleted || change.revision >= present.revision
    }

    /// A restored backup does not know nodes that came later; as long as the ring names them they are members.
    private func keepMembersOfRing(_ changes: inout [StateEntry]) {
        guard changes.contains(where: { $0.deleted && $0.key.hasPrefix(ClusterKeys.memberPrefix) }),
            let entry = changes.last(where: { $0.key == ClusterKeys.ring }) ?? values[ClusterKeys.ring],
            let ring = try? RingRecord(decoding: entry.value)
        else { return }
        let held = Set(ring.nodes.map { ClusterKeys.member(NodeName($0)) })
        changes.removeAll { $0.deleted && held.contains($0.key) }
    }

    private static func ringEpoch(_ entry: StateEntry) -> UInt64 {
        entry.deleted ? 0 : (try? RingRecord(decoding: entry.value).epoch) ?? 0
    }
}

// MARK: - Placement from peers

extension ClusterEntries {
    /// What processes tell each other while no manager answers: where keys live, and who is who.
    private static func isPlacement(_ key: String) -> Bool {
        key == ClusterKeys.ring || key == ClusterKeys.settings || key.hasPrefix(ClusterKeys.memberPrefix)
    }

    /// The latest that this process knows of the placement, from managers and peers.
    var placementRevision: UInt64 {
        values.values.reduce(revision) { Self.isPlacement($1.key) ? max($0, $1.revision) : $0 }
    }

    /// For a peer that knows the placement up to a revision.
    func placement(after known: UInt64) -> FetchStateReply {
        let news = values.values.filter { Self.isPlacement($0.key) && $0.revision > known }
        return FetchStateReply(revision: placementRevision, entries: news.sorted { $0.key < $1.key })
    }

    /// Takes over what a peer has learned from a manager later than this process did, and says what changed. The
    /// revision stays: of everything else the peer has said nothing.
    mutating func adopt(_ reply: FetchStateReply) -> [StateEntry] {
        let changes = reply.entries.filter { entry in
            Self.isPlacement(entry.key) && !entry.deleted && entry.revision > revision
                && entry.revision > values[entry.key]?.revision ?? 0 && mayReplace(entry)
        }
        install(changes)
        return changes
    }
}
