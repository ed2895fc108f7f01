/// The scrub of one disk, as JSON for the administrator.
struct ScrubStatus: Encodable, Sendable, Equatable {
    var path: String
    /// "running", "idling" or "suspending", as LeoFS calls them.
    var state: String
    /// Wall clock, milliseconds; nil: never.
    var startedMilliseconds: Int64?
    var finishedMilliseconds: Int64?
    var segmentsTotal: Int
    var segmentsLeft: Int
    var bytesLeft: Int
    /// Bytes per second, at most.
    var rateLimit: Int
    /// Bytes per second in this round.
    var rate: Int?
    /// Seconds until the round ends, at this rate.
    var etaSeconds: Int?
    var bytesRead: Int
    var recordsRead: Int
    var damagedRecords: Int
    var rewrittenRegisters: Int
    var damagedGarbage: Int
    var misplacedEntries: Int
    var lastError: String?

    init(
        path: String, history: ScrubHistory, findings: ScrubFindings, segmentsTotal: Int, segmentsLeft: Int,
        bytesLeft: Int, rateLimit: Int, bytesPerSecond: Double?, lastError: String?
    ) {
        self.path = path
        state = history.isSuspended ? "suspending" : history.isRunning ? "running" : "idling"
        startedMilliseconds = history.roundStarted == 0 ? nil : history.roundStarted
        finishedMilliseconds = history.roundFinished == 0 ? nil : history.roundFinished
        self.segmentsTotal = segmentsTotal
        self.segmentsLeft = segmentsLeft
        self.bytesLeft = bytesLeft
        self.rateLimit = rateLimit
        rate = bytesPerSecond.map { Int($0) }
        if history.isRunning, !history.isSuspended {
            etaSeconds = Int(Double(bytesLeft) / max(1, bytesPerSecond ?? Double(rateLimit)))
        }
        bytesRead = findings.bytes
        recordsRead = findings.records
        damagedRecords = findings.damagedContent
        rewrittenRegisters = findings.rewrittenRegisters
        damagedGarbage = findings.damagedGarbage
        misplacedEntries = findings.misplacedEntries
        self.lastError = lastError
    }
}
