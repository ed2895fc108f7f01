/// How a disk is compacted.
struct CompactionOptions: Sendable, Equatable {
    /// Share of garbage (0 to 1) from which a segment is compacted without being told to.
    var ratio = 0.4
    /// Bytes a second that compaction reads and writes on one disk; 0: as fast as it goes.
    var rate = 0
    /// Looks for work by itself.
    var isAutomatic = false

    /// Moved bytes that are not yet durable: what a foreground sync may have to carry with it.
    static let bytesInFlightMax = 1 << 20
    /// While so many records of requests wait for the log, nothing is moved.
    static let backlogMax = 256
}
