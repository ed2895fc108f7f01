/// `du NODE`, answered by a storage node.
public struct DiskUsageReport: Codable, Sendable, Equatable {
    public struct Disk: Codable, Sendable, Equatable {
        public var path: String
        public var activeObjects: UInt64
        public var totalObjects: UInt64
        public var activeSize: UInt64
        public var totalSize: UInt64
        /// "ok", "read-only", "failed" or "full".
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

/// `status NODE`, answered by every process: named sections of values, in the order in which they are shown.
public struct NodeReport: Codable, Sendable, Equatable {
    public struct Section: Codable, Sendable, Equatable {
        /// For people: "basic", "disks".
        public var title: String
        public var items: [Item]

        public init(_ title: String, _ items: [Item]) {
            self.title = title
            self.items = items
        }
    }

    public struct Item: Codable, Sendable, Equatable {
        /// For programs: "ring_hash".
        public var key: String
        /// For people: "current ring-hash".
        public var label: String
        public var value: String

        public init(_ key: String, _ label: String, _ value: String) {
            self.key = key
            self.label = label
            self.value = value
        }
    }

    public var node: String
    public var nodeStat: [Section]

    public init(node: String, nodeStat: [Section]) {
        self.node = node
        self.nodeStat = nodeStat
    }
}

/// `dump-ring NODE`: the ring that a process works with.
public struct RingReport: Codable, Sendable, Equatable {
    public struct Partition: Codable, Sendable, Equatable {
        public var partition: Int
        public var current: [String]
        public var next: [String]

        public init(partition: Int, current: [String], next: [String]) {
            self.partition = partition
            self.current = current
            self.next = next
        }
    }

    public var node: String
    public var epoch: UInt64
    public var ringHash: String
    public var partitions: [Partition]

    public init(node: String, view: ClusterView) {
        self.node = node
        epoch = view.epoch
        ringHash = view.ring?.hashText ?? ""
        partitions =
            view.ring?.partitions.enumerated().map { number, replicas in
                Partition(
                    partition: number, current: replicas.current.map(\.rawValue), next: replicas.next.map(\.rawValue))
            } ?? []
    }
}
