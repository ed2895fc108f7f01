/// `durability`: how likely the loss of an object is, and what limits it.
public struct DurabilityReport: Codable, Sendable, Equatable {
    /// What most of the risk comes from.
    public enum Limit: String, Codable, Sendable {
        /// Too few copies: no repair is quick enough.
        case replicas
        /// Until a failure is noticed.
        case detection
        /// Until work on it begins.
        case waiting
        /// Until all is copied.
        case copying
        /// Rot that is found late.
        case scrub
    }

    public struct Scenario: Codable, Sendable, Equatable {
        /// "now" or "full disks".
        public var name: String
        /// To be copied when the largest disk is lost.
        public var bytes: UInt64
        public var detectionSeconds: Double
        public var waitingSeconds: Double
        public var copyingSeconds: Double
        /// The sum of these.
        public var repairSeconds: Double
        /// Probability that one object is lost within a year.
        public var annualLoss: Double
        public var nines: Double
        /// Expected, with the objects of today.
        public var objectsLostPerYear: Double

        public init(
            name: String, bytes: UInt64, detectionSeconds: Double, waitingSeconds: Double, copyingSeconds: Double,
            repairSeconds: Double, annualLoss: Double, nines: Double, objectsLostPerYear: Double
        ) {
            self.name = name
            self.bytes = bytes
            self.detectionSeconds = detectionSeconds
            self.waitingSeconds = waitingSeconds
            self.copyingSeconds = copyingSeconds
            self.repairSeconds = repairSeconds
            self.annualLoss = annualLoss
            self.nines = nines
            self.objectsLostPerYear = objectsLostPerYear
        }
    }

    public var replicas: Int
    public var annualFailureRate: Double
    public var corruptionsPerYear: Double
    public var scrubSeconds: Double
    public var disks: Int
    public var objects: UInt64
    public var repairBytesPerSecond: Double
    /// "measured" or "assumed".
    public var rateSource: String
    public var scenarios: [Scenario]
    public var goalNines: Double
    /// The longest repair with which the goal is reached; nil: none is quick enough.
    public var repairSecondsForGoal: Double?
    public var limit: Limit
    public var remarks: [String]

    public init(
        replicas: Int, annualFailureRate: Double, corruptionsPerYear: Double, scrubSeconds: Double, disks: Int,
        objects: UInt64, repairBytesPerSecond: Double, rateSource: String, scenarios: [Scenario], goalNines: Double,
        repairSecondsForGoal: Double?, limit: Limit, remarks: [String]
    ) {
        self.replicas = replicas
        self.annualFailureRate = annualFailureRate
        self.corruptionsPerYear = corruptionsPerYear
        self.scrubSeconds = scrubSeconds
        self.disks = disks
        self.objects = objects
        self.repairBytesPerSecond = repairBytesPerSecond
        self.rateSource = rateSource
        self.scenarios = scenarios
        self.goalNines = goalNines
        self.repairSecondsForGoal = repairSecondsForGoal
        self.limit = limit
        self.remarks = remarks
    }
}
