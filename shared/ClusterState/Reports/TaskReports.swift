/// `tasks`: background work, of one process or gathered from all.
public struct TasksReport: Codable, Sendable, Equatable {
    public struct Item: Codable, Sendable, Equatable {
        /// PROCESS:NAME, as `tasks pause` and the like want it.
        public var id: String
        /// What it does: "anti-entropy", "recover-node", "scrub", "hints"…
        public var kind: String
        /// What it is about: a node, a disk, an object; empty: everything.
        public var subject: String
        /// "waiting", "running", "paused", "done", "failed" or "cancelled".
        public var state: String
        /// Of `total`; both 0: not known yet.
        public var done: UInt64 = 0
        public var total: UInt64 = 0
        /// What `done` and `total` count.
        public var unit = ""
        /// Repaired, copied, delivered or dropped, in this run or the last one.
        public var objects: UInt64 = 0
        public var bytes: UInt64 = 0
        public var failures: UInt64 = 0
        /// Of a running task, over the last half minute.
        public var objectsPerSecond: Double = 0
        public var bytesPerSecond: Double = 0
        /// 0: the settings say.
        public var objectsPerSecondMax: Int = 0
        public var bytesPerSecondMax: Int = 0
        /// Part of its limits, in per cent, that it takes at present: less while clients would be delayed.
        public var pacePercent: Int = 100
        /// Milliseconds since 1970; 0: not yet, or not known.
        public var startedMilliseconds: Int64 = 0
        public var finishedMilliseconds: Int64 = 0
        public var estimatedEndMilliseconds: Int64 = 0
        /// Whether what the last run was for is proved: digests of all replicas equal, nothing left to be done.
        public var proved = false
        /// The proof, or why there is none yet.
        public var result = ""
        /// What it is doing or waiting for.
        public var note = ""

        public init(id: String, kind: String, subject: String, state: String) {
            self.id = id
            self.kind = kind
            self.subject = subject
            self.state = state
        }
    }

    /// A process that did not answer.
    public struct FailureNode: Codable, Sendable, Equatable {
        public var node: String
        public var cause: String

        public init(node: String, cause: String) {
            self.node = node
            self.cause = cause
        }
    }

    public var tasks: [Item]
    public var failureNodes: [FailureNode]

    public init(tasks: [Item], failureNodes: [FailureNode] = []) {
        self.tasks = tasks
        self.failureNodes = failureNodes
    }
}

/// The answer of a verb that began a task.
public struct TaskStartedReport: Codable, Sendable, Equatable {
    public var result = "OK"
    /// See ``TasksReport/Item/id``.
    public var id: String
    public init(id: String) { self.id = id }
}
