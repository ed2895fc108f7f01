import ClusterState

/// What the compaction of one disk does and has done. Numbers since the process began.
struct CompactionStatus: Sendable, Equatable {
    enum Activity: String, Sendable {
        case idling, running
        /// Until it is resumed.
        case suspending
    }

    var activity = Activity.idling
    /// Milliseconds since 1970 of the last run; nil: none yet.
    var lastStart: Int64?
    var lastEnd: Int64?
    /// Sealed segments of the disk.
    var totalSegments = 0
    /// Segments worth compacting that wait for their turn.
    var pendingSegments = 0
    /// 1 while one is being compacted.
    var ongoingSegments = 0
    /// Segments that cannot be compacted before doubt about lost records is settled.
    var doubtfulSegments = 0
    /// Segments that keep damaged records until another replica has healed them.
    var damagedSegments = 0
    var removedSegments = 0
    var movedBytes: UInt64 = 0
    var freedBytes: UInt64 = 0
    /// Bytes a second; 0: no limit.
    var rate = 0
    /// Why it does not get on; nil: it does.
    var obstacle: String?

    /// Neither being compacted nor waiting for it.
    var outSegments: Int { max(0, totalSegments - pendingSegments - ongoingSegments) }
}
