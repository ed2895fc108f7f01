/// What the healing of lost memory is doing. Encoded as JSON for the administrator.
struct MemoryRecoveryStatus: Codable, Sendable, Equatable {
    struct Disk: Codable, Sendable, Equatable {
        enum Phase: String, Codable, Sendable { case waiting, fencing, teaching, proving, trusted, failed }

        var node: String
        var path: String
        var state = Phase.waiting
        /// Why it waits or failed.
        var reason = ""
        /// Everything that it has forgotten is at or below this ballot counter; 0: not known yet.
        var bound: UInt64 = 0
        /// Walks over all keys. The last one finds nothing any more: that is the proof.
        var passes = 0
        /// Of the present walk.
        var keysCompared = 0
        var doubtfulKeys = 0
        /// Of all walks.
        var registersTaught = 0
        var chunksTaught = 0
        var failures = 0
    }

    /// Those in doubt at the last look, and those that were healed in it.
    var disks: [Disk] = []
    /// Since the start.
    var recovered = 0
    var lastError = ""
}
