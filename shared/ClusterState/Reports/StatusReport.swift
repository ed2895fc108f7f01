/// `status`. Key names are those of LeoFS's JSON console where it has them.
public struct StatusReport: Codable, Sendable, Equatable {
    public struct SystemInfo: Codable, Sendable, Equatable {
        public var version: String
        public var clusterId: String
        public var dcId: String
        public var n: Int
        public var r: Int
        public var w: Int
        public var d: Int
        public var rackAwarenessReplicas: Int
        /// Bits of a position.
        public var ringSize: Int
        public var partitions: Int
        public var ringEpoch: UInt64
        /// 8 hex digits; empty before `start`.
        public var ringHashCur: String
        public var ringHashPrev: String
        /// Reads and writes of one key are linearizable: all quorums are majorities.
        public var linearizable: Bool

        public init(
            version: String, clusterId: String, dcId: String, n: Int, r: Int, w: Int, d: Int,
            rackAwarenessReplicas: Int, ringSize: Int, partitions: Int, ringEpoch: UInt64, ringHashCur: String,
            ringHashPrev: String, linearizable: Bool
        ) {
            self.version = version
            self.clusterId = clusterId
            self.dcId = dcId
            self.n = n
            self.r = r
            self.w = w
            self.d = d
            self.rackAwarenessReplicas = rackAwarenessReplicas
            self.ringSize = ringSize
            self.partitions = partitions
            self.ringEpoch = ringEpoch
            self.ringHashCur = ringHashCur
            self.ringHashPrev = ringHashPrev
            self.linearizable = linearizable
        }
    }

    public struct Node: Codable, Sendable, Equatable {
        /// M manager, S storage, G gateway, R replicator, P repair.
        public var type: String
        public var node: String
        public var state: String
        public var rackId: String
        /// Ring hash that the node works with; empty when it has none.
        public var ringCur: String
        public var ringPrev: String
        /// Last change of state: "2019-12-05 08:36:52 +0000".
        public var when: String
        public var version: String
        /// What the manager's failure detector holds of it: unknown, alive, suspected or down.
        public var liveness: String
        /// Since its last sign of life; nil: none since the manager's start, or the manager itself.
        public var silentMilliseconds: Int64?

        public init(
            type: String, node: String, state: String, rackId: String, ringCur: String, ringPrev: String, when: String,
            version: String, liveness: String = "unknown", silentMilliseconds: Int64? = nil
        ) {
            self.type = type
            self.node = node
            self.state = state
            self.rackId = rackId
            self.ringCur = ringCur
            self.ringPrev = ringPrev
            self.when = when
            self.version = version
            self.liveness = liveness
            self.silentMilliseconds = silentMilliseconds
        }
    }

    public var systemInfo: SystemInfo
    public var nodeList: [Node]

    public init(systemInfo: SystemInfo, nodeList: [Node]) {
        self.systemInfo = systemInfo
        self.nodeList = nodeList
    }
}

/// `version`.
public struct VersionReport: Codable, Sendable, Equatable {
    public struct Node: Codable, Sendable, Equatable {
        public var type: String
        public var node: String
        public var version: String

        public init(type: String, node: String, version: String) {
            self.type = type
            self.node = node
            self.version = version
        }
    }

    public var version: String
    public var nodes: [Node]

    public init(version: String, nodes: [Node]) {
        self.version = version
        self.nodes = nodes
    }
}

/// `start`.
public struct StartReport: Codable, Sendable, Equatable {
    public var result = "OK"
    public var ringHashCur: String
    public var ringEpoch: UInt64
    public var nodes: [String]

    public init(ringHashCur: String, ringEpoch: UInt64, nodes: [String]) {
        self.ringHashCur = ringHashCur
        self.ringEpoch = ringEpoch
        self.nodes = nodes
    }
}
