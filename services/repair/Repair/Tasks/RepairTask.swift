/// One piece of repair work as operators see it. A value; stored as JSON.
struct RepairTask: Codable, Sendable, Equatable {
    enum Phase: String, Codable, Sendable { case waiting, running, done, failed, cancelled }

    /// A standing task's kind, else a number that is never used again.
    let id: String
    let kind: TaskKind
    let arguments: [String]
    var phase = Phase.waiting
    /// The operator's wish, whatever the phase.
    var isPaused = false
    var throttle = TaskThrottle()
    /// Of the run that is under way, or the last one.
    var progress = TaskProgress()
    /// How the last run ended; nil: none has.
    var outcome: TaskOutcome?
    /// Wall clock in milliseconds; 0: not yet.
    var submitted: Int64 = 0
    var started: Int64 = 0
    var finished: Int64 = 0

    var isOver: Bool { phase == .done || phase == .failed || phase == .cancelled }
}

/// How far one run is.
struct TaskProgress: Codable, Sendable, Equatable {
    /// Out of `total`, in the unit of the kind: keys of differing partitions, items of a list, chunks of an object.
    var done: UInt64 = 0
    /// 0: not known yet.
    var total: UInt64 = 0
    /// Registers and chunks that were repaired, or dropped.
    var objects: UInt64 = 0
    /// Content that was copied.
    var bytes: UInt64 = 0
    var failures: UInt64 = 0
    /// What it is doing or waiting for.
    var note = ""
}

/// An operator's limits; 0: those of the settings.
struct TaskThrottle: Codable, Sendable, Equatable {
    var objectsPerSecond = 0
    var bytesPerSecond = 0
}

/// How a run ended.
struct TaskOutcome: Codable, Sendable, Equatable {
    var isSuccess: Bool
    /// What was looked for was found to hold: the digests of all replicas were equal, nothing was left to be done.
    var isProved: Bool
    /// The proof, or why there is none.
    var text: String
    /// After how long a standing task wants to run again at the latest; nil: after its interval. Not stored.
    var again: Duration?

    private enum CodingKeys: String, CodingKey { case isSuccess, isProved, text }

    init(isSuccess: Bool, isProved: Bool, text: String, again: Duration? = nil) {
        self.isSuccess = isSuccess
        self.isProved = isProved
        self.text = text
        self.again = again
    }

    static func proved(_ text: String) -> TaskOutcome { TaskOutcome(isSuccess: true, isProved: true, text: text) }
    static func unproved(_ text: String) -> TaskOutcome { TaskOutcome(isSuccess: true, isProved: false, text: text) }
    static func failed(_ text: String) -> TaskOutcome { TaskOutcome(isSuccess: false, isProved: false, text: text) }
}
