/// `compact-status NODE`, answered by a storage node. Targets are segments of the object logs.
public struct CompactionReport: Codable, Sendable, Equatable {
    public struct Disk: Codable, Sendable, Equatable {
        public var path: String
        /// "idling", "running" or "suspending".
        public var status: String
        /// Milliseconds since 1970; nil: not since the node began.
        public var lastCompactionStart: Int64?
        public var lastCompactionEnd: Int64?
        public var totalTargets: Int
        public var numOfPendingTargets: Int
        public var numOfOngoingTargets: Int
        public var numOfOutOfTargets: Int
        /// Wait until doubt about lost records is settled.
        public var doubtfulSegments: Int
        /// Wait until damaged records in them are healed.
        public var damagedSegments: Int
        /// Since the node began.
        public var removedSegments: Int
        public var movedBytes: UInt64
        public var freedBytes: UInt64
        /// Bytes a second; 0: no limit.
        public var rate: Int
        /// Why it does not get on.
        public var obstacle: String?

        public init(
            path: String, status: String, lastCompactionStart: Int64? = nil, lastCompactionEnd: Int64? = nil,
            totalTargets: Int, numOfPendingTargets: Int, numOfOngoingTargets: Int, numOfOutOfTargets: Int,
            doubtfulSegments: Int = 0, damagedSegments: Int = 0, removedSegments: Int = 0, movedBytes: UInt64 = 0,
            freedBytes: UInt64 = 0, rate: Int = 0, obstacle: String? = nil
        ) {
            self.path = path
            self.status = status
            self.lastCompactionStart = lastCompactionStart
            self.lastCompactionEnd = lastCompactionEnd
            self.totalTargets = totalTargets
            self.numOfPendingTargets = numOfPendingTargets
            self.numOfOngoingTargets = numOfOngoingTargets
            self.numOfOutOfTargets = numOfOutOfTargets
            self.doubtfulSegments = doubtfulSegments
            self.damagedSegments = damagedSegments
            self.removedSegments = removedSegments
            self.movedBytes = movedBytes
            self.freedBytes = freedBytes
            self.rate = rate
            self.obstacle = obstacle
        }
    }

    /// The sum of all disks; names as in LeoFS.
    public struct Status: Codable, Sendable, Equatable {
        public var status: String
        public var lastCompactionStart: Int64?
        public var lastCompactionEnd: Int64?
        public var totalTargets: Int
        public var numOfPendingTargets: Int
        public var numOfOngoingTargets: Int
        public var numOfOutOfTargets: Int
        public var removedSegments: Int
        public var movedBytes: UInt64
        public var freedBytes: UInt64
        public var disks: [Disk]

        public init(
            status: String, lastCompactionStart: Int64? = nil, lastCompactionEnd: Int64? = nil, totalTargets: Int,
            numOfPendingTargets: Int, numOfOngoingTargets: Int, numOfOutOfTargets: Int, removedSegments: Int = 0,
            movedBytes: UInt64 = 0, freedBytes: UInt64 = 0, disks: [Disk] = []
        ) {
            self.status = status
            self.lastCompactionStart = lastCompactionStart
            self.lastCompactionEnd = lastCompactionEnd
            self.totalTargets = totalTargets
            self.numOfPendingTargets = numOfPendingTargets
            self.numOfOngoingTargets = numOfOngoingTargets
            self.numOfOutOfTargets = numOfOutOfTargets
            self.removedSegments = removedSegments
            self.movedBytes = movedBytes
            self.freedBytes = freedBytes
            self.disks = disks
        }
    }

    public var compactionStatus: Status
    public init(compactionStatus: Status) { self.compactionStatus = compactionStatus }
}
