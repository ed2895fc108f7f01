import Model
import ObjectAccess

/// What a comparison has done so far; also its result. Encoded as JSON for the administrator.
struct RepairProgress: Codable, Sendable, Equatable {
    enum Phase: String, Codable, Sendable { case idle, running, done, failed }

    var task = ""
    var state = Phase.idle
    /// Wall clock; 0: not yet.
    var startedMilliseconds: Int64 = 0
    var finishedMilliseconds: Int64 = 0
    var partitionsTotal = 0
    var partitionsCompared = 0
    var partitionsDiffering = 0
    /// Partitions of which a replica did not answer: nothing is proved for them.
    var partitionsIncomplete = 0
    var keysCompared = 0
    var registersRepaired = 0
    var chunksRepaired = 0
    var failures = 0
    /// The proof: after the repair the digests of all replicas of all partitions were equal. Under writes they may
    /// differ for a moment although nothing is wrong.
    var allEqual = false
    var lastError = ""

    mutating func begin(_ task: String) {
        self = RepairProgress(task: task, state: .running, startedMilliseconds: WallClock.milliseconds)
    }

    mutating func finish(allEqual: Bool) {
        self.allEqual = allEqual
        state = failures == 0 ? .done : .failed
        finishedMilliseconds = WallClock.milliseconds
    }

    mutating func failed(_ error: any Error) {
        failures += 1
        lastError = "\(error)"
    }
}
