/// What an append is for. A disk that fills up refuses content first, so that deleting and compaction still work.
public enum AppendPriority: CaseIterable, Sendable {
    /// Objects and their parts.
    case content
    /// What lets space become free: tombstones, dropped chunks, hints that are done, ceilings.
    case deletion
    /// Moves live records out of a segment that is then removed.
    case compaction

    /// Prepared segments that must be left behind the active one.
    var reserve: Int {
        switch self {
        case .content: 2
        case .deletion: 1
        case .compaction: 0
        }
    }
}
