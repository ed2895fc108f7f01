/// `du NODE`, answered by a storage node.
public struct DiskUsageReport: Codable, Sendable, Equatable {
    public struct Disk: Codable, Sendable, Equatable {
        public var path: String
        public var activeObjects: UInt64
        public var totalObjects: UInt64
        public var activeSize: UInt64
        public var totalSize: UInt64
        /// "ok", "full", "draining", "read-only", "opening", "rebuilding", "failed" or "retired".
        public var state: String

        public init(
            path: String, activeObjects: UInt64, totalObjects: UInt64, activeSize: UInt64, totalSize: UInt64,
            state: String
        ) {
            self.path = path
            self.activeObjects = activeObjects
            self.totalObjects = totalObjects
            self.activeSize = activeSize
            self.totalSize = totalSize
            self.state = state
        }
    }

    /// Milliseconds since 1970; nil: never.
    public var lastCompactionStart: Int64?
    public var lastCompactionEnd: Int64?
    public var disks: [Disk]

    public init(disks: [Disk], lastCompactionStart: Int64? = nil, lastCompactionEnd: Int64? = nil) {
        self.disks = disks
        self.lastCompactionStart = lastCompactionStart
        self.lastCompactionEnd = lastCompactionEnd
    }
}

/// `mq-stats NODE`: work that waits on a node.
public struct QueuesReport: Codable, Sendable, Equatable {
    public struct Queue: Codable, Sendable, Equatable {
        public var id: String
        /// "running", "idling" or "suspending".
        public var state: String
        public var messages: UInt64
        public var description: String

        public init(id: String, state: String, messages: UInt64, description: String) {
            self.id = id
            self.state = state
            self.messages = messages
            self.description = description
        }
    }

    public var mqStats: [Queue]
    public init(mqStats: [Queue]) { self.mqStats = mqStats }
}
