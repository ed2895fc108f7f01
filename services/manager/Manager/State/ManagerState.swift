import ClusterState
import ClusterStore
import Model
import Wire

/// Everything the store holds, at one revision, in memory. A value: verbs compute their edits from it.
struct ManagerState: Sendable {
    private(set) var entries: [String: StoreEntry] = [:]
    private(set) var view = ClusterView.empty
    private(set) var revision: UInt64 = 0
    /// Deletions after this revision are all in `deletions`.
    private(set) var completeAfter: UInt64 = 0
    private(set) var deletions: [StoreChange] = []

    static let deletionsMax = 10_000

    init() {}

    init(_ snapshot: StoreSnapshot) {
        entries = Dictionary(uniqueKeysWithValues: snapshot.entries.map { ($0.key, $0) })
        revision = snapshot.revision
        completeAfter = snapshot.revision
        view = ClusterView(revision: revision, entries: snapshot.entries.map { StateEntry($0) })
    }

    /// Takes over changes that the store reports. What is known already changes nothing.
    mutating func apply(_ changes: [StoreChange], upTo revision: UInt64) {
        let news = changes.filter { $0.revision > self.revision }
        for change in news {
            entries[change.key] = change.value.map {
                StoreEntry(key: change.key, value: $0, revision: change.revision)
            }
            if change.value == nil { deletions.append(change) }
        }
        if deletions.count > Self.deletionsMax {
            completeAfter = deletions[deletions.count / 2].revision
            deletions.removeAll { $0.revision <= completeAfter }
        }
        self.revision = max(self.revision, revision)
        view = view.applying(news.map { StateEntry($0) }, revision: self.revision)
    }

    /// The answer to a process that knows the state up to a revision.
    func changes(after known: UInt64, withUsers: Bool) -> FetchStateReply {
        // A process that knows more than the store had it from a store that is lost: tell it everything.
        let incremental = known >= completeAfter && known <= revision
        var shared = entries.values.filter {
            (!incremental || $0.revision > known) && ClusterKeys.isShared($0.key, withUsers: withUsers)
        }.map { StateEntry($0) }
        if incremental {
            shared += deletions.filter {
                $0.revision > known && entries[$0.key] == nil && ClusterKeys.isShared($0.key, withUsers: withUsers)
            }.map { StateEntry($0) }
        }
        shared.sort { ($0.revision, $0.key) < ($1.revision, $1.key) }
        return FetchStateReply(revision: revision, complete: !incremental, entries: shared)
    }
}

extension StateEntry {
    init(_ entry: StoreEntry) { self.init(key: entry.key, value: entry.value, revision: entry.revision) }

    init(_ change: StoreChange) {
        self.init(
            key: change.key, value: change.value ?? [], deleted: change.value == nil, revision: change.revision)
    }
}
