import Model
import Ring
import Wire

/// `rebalance`, `rebalance-status` and their kin.
public struct RebalanceReport: Codable, Sendable, Equatable {
    public struct Node: Codable, Sendable, Equatable {
        public var node: String
        /// Replicas of partitions that it holds, gets and gives.
        public var holds: Int
        public var gets: Int
        public var gives: Int
        /// What it gets, estimated from what storage nodes hold; nil: not asked for, or not known.
        public var getsObjects: UInt64?
        public var getsBytes: UInt64?
    }

    public var plan: UInt64
    /// "running", "paused", "returning", "done" or "withdrawn".
    public var phase: String
    public var changes: [String]
    public var ringEpoch: UInt64
    public var partitions: Int
    public var partitionsLeft: Int
    public var partitionsMoving: Int
    /// Replicas that go to another node, over the whole plan.
    public var moves: Int
    public var nodes: [Node]
    /// Milliseconds since 1970; 0: not yet.
    public var started: Int64
    public var finished: Int64
    /// Registers and chunks that repair has copied, as far as this manager was told.
    public var copied: UInt64 = 0
    /// Over the last steps; nil: not known yet.
    public var copiedPerSecond: Double?
    /// By the last steps; nil: not known yet.
    public var secondsLeft: Int?
    /// Nodes that have not adopted an epoch on which partitions wait.
    public var waitingForNodes: [String] = []
    /// Partitions whose new replicas repair has not proved complete.
    public var waitingForProof = 0

    public init(_ record: RingPlanRecord, _ plan: RingPlan, _ ring: RingTable) {
        self.plan = plan.id
        phase = plan.phase.rawValue
        changes = record.changes
        ringEpoch = ring.epoch
        partitions = plan.partitionsTotal
        partitionsLeft = plan.open.count
        partitionsMoving = ring.partitions.count { !$0.next.isEmpty }
        moves = plan.movesTotal
        started = record.startedMilliseconds
        finished = record.finishedMilliseconds
        var counts: [NodeName: Node] = [:]
        for node in ring.nodes { counts[node] = Node(node: node.rawValue, holds: 0, gets: 0, gives: 0) }
        for replicas in ring.partitions { for node in replicas.current { counts[node]?.holds += 1 } }
        for move in plan.moves(from: ring) {
            for node in move.leaving { counts[node]?.gives += 1 }
            for node in move.joining {
                counts[node, default: Node(node: node.rawValue, holds: 0, gets: 0, gives: 0)].gets += 1
            }
        }
        nodes = counts.sorted { $0.key < $1.key }.map(\.value)
    }

    /// What a storage node holds in all.
    public struct Usage: Sendable, Equatable {
        public var objects: UInt64
        public var bytes: UInt64

        public init(objects: UInt64, bytes: UInt64) {
            self.objects = objects
            self.bytes = bytes
        }
    }

    /// Says how much would move to each node. Keys are hashed, so every partition of a node is taken to be of one size;
    /// of a partition that several nodes hold, the mean of theirs. A partition of which no holder has told counts nothing.
    public mutating func estimate(_ moves: [RingMove], _ ring: RingTable, _ usage: [NodeName: Usage]) {
        var held: [NodeName: Double] = [:]
        for replicas in ring.partitions { for node in replicas.current { held[node, default: 0] += 1 } }
        var gets: [String: (objects: Double, bytes: Double)] = [:]
        for move in moves {
            let told = ring.partitions[move.partition].current.compactMap { node in
                usage[node].map { (Double($0.objects) / held[node]!, Double($0.bytes) / held[node]!) }
            }
            guard !told.isEmpty else { continue }
            for node in move.joining {
                gets[node.rawValue, default: (0, 0)].objects += told.reduce(0) { $0 + $1.0 } / Double(told.count)
                gets[node.rawValue, default: (0, 0)].bytes += told.reduce(0) { $0 + $1.1 } / Double(told.count)
            }
        }
        for index in nodes.indices {
            let sum = gets[nodes[index].node] ?? (0, 0)
            nodes[index].getsObjects = UInt64(sum.objects.rounded())
            nodes[index].getsBytes = UInt64(sum.bytes.rounded())
        }
    }
}
