/// `cluster health`: whether data is at risk, and what to do.
public struct HealthReport: Codable, Sendable, Equatable {
    public enum Grade: String, Codable, Sendable, Comparable {
        case ok
        /// Everything is served; something is missing.
        case degraded
        /// Something is not served, or one more failure may lose data.
        case critical

        private var rank: Int { self == .ok ? 0 : self == .degraded ? 1 : 2 }
        public static func < (a: Self, b: Self) -> Bool { a.rank < b.rank }
    }

    public struct Finding: Codable, Sendable, Equatable {
        public var grade: Grade
        /// A node, a disk or "cluster".
        public var subject: String
        public var problem: String
        /// What to do; empty: nothing, it heals by itself.
        public var action: String

        public init(_ grade: Grade, _ subject: String, _ problem: String, action: String = "") {
            self.grade = grade
            self.subject = subject
            self.problem = problem
            self.action = action
        }
    }

    public struct Partitions: Codable, Sendable, Equatable {
        public var total = 0
        /// With fewer replicas that answer than they should have.
        public var degraded = 0
        /// With a single replica that answers, of several.
        public var withOneReplica = 0
        public var withoutReadQuorum = 0
        public var withoutWriteQuorum = 0

        public init() {}
    }

    public struct Nodes: Codable, Sendable, Equatable {
        public var total = 0
        public var running = 0
        public var suspended = 0
        public var down = 0

        public init() {}
    }

    public var health: Grade
    /// One more failure may lose data, or data cannot be reached.
    public var dataAtRisk: Bool
    public var partitions: Partitions
    /// Storage nodes.
    public var nodes: Nodes
    /// Missed writes that wait for delivery.
    public var waitingHints: UInt64
    /// The worst first.
    public var findings: [Finding]

    public init(
        health: Grade, dataAtRisk: Bool, partitions: Partitions, nodes: Nodes, waitingHints: UInt64,
        findings: [Finding]
    ) {
        self.health = health
        self.dataAtRisk = dataAtRisk
        self.partitions = partitions
        self.nodes = nodes
        self.waitingHints = waitingHints
        self.findings = findings
    }
}
