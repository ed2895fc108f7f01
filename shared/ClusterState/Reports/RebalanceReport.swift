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
    /// nil: not known yet.
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
}
