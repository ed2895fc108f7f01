import ClusterState
import Model

/// What `durability` is computed from.
struct DurabilityFacts: Sendable, Equatable {
    var replicas = 3
    var write = 2
    /// The share of disks that fail in a year.
    var annualFailureRate = 0.03
    /// How often a copy rots unnoticed.
    var corruptionsPerYear = 0.0
    /// Time between two scrubs of a disk.
    var scrubSeconds = 0.0
    /// Until the failure is noticed.
    var detectionSeconds = 0.0
    /// Until somebody begins to bring the copies back.
    var waitingSeconds = 0.0
    /// Nobody has to begin it.
    var isRepairAutomatic = true
    /// Copied in a second.
    var repairBytesPerSecond = 1.0
    var isRateMeasured = false
    var disks = 0
    var objects: UInt64 = 0
    /// On the disk that has most.
    var largestDiskUsedBytes: UInt64 = 0
    /// Of the largest disk.
    var largestDiskTotalBytes: UInt64 = 0
    /// Nodes that did not tell.
    var unanswered: [String] = []
}

/// What the manager is configured to assume.
struct DurabilityAssumptions: Sendable, Equatable {
    var annualFailureRate = 0.03
    var corruptionsPerYear = 0.000_001
    var waitingSeconds = 43_200.0
    var repairBytesPerSecond = 33_554_432.0
    var detectionSeconds = 3.5
    /// Nodes that stay dead are taken out of the ring without an operator.
    var isRepairAutomatic = true

    /// Until somebody acts, where nothing acts by itself.
    static let operatorSeconds = 86_400.0
}

extension DurabilityFacts {
    /// Where no disk is scrubbed by itself, rot is found when somebody reads.
    private static let neverScrubbedSeconds = CopyChain.secondsPerYear
    /// A task that has copied less says nothing about the rate.
    private static let measurableBytes: UInt64 = 16 << 20

    init(_ view: ClusterView, _ survey: ClusterSurvey, _ assumptions: DurabilityAssumptions) {
        // Less than N while a plan brings more.
        replicas = view.ring?.partitions.lazy.flatMap(\.sets).map(\.count).min() ?? view.consistency.replicas
        write = view.consistency.inSet(of: replicas).write
        annualFailureRate = assumptions.annualFailureRate
        corruptionsPerYear = assumptions.corruptionsPerYear
        detectionSeconds = assumptions.detectionSeconds
        waitingSeconds = assumptions.waitingSeconds
        isRepairAutomatic = assumptions.isRepairAutomatic
        let measured = survey.nodes.values.flatMap(\.tasks).compactMap(Self.rate).max()
        repairBytesPerSecond = measured ?? assumptions.repairBytesPerSecond
        isRateMeasured = measured != nil
        let nodes = view.storageNodes.map { ($0, survey.nodes[$0]) }
        unanswered = nodes.filter { $0.1?.usage == nil || $0.1?.disks == nil }.map(\.0.rawValue)
        let told = nodes.compactMap(\.1)
        let disks = told.flatMap { $0.disks?.disks ?? [] }.filter { $0.state != "retired" }
        let usage = told.flatMap { $0.usage?.disks ?? [] }
        self.disks = disks.count
        objects = usage.reduce(0) { $0 + $1.activeObjects } / UInt64(max(1, replicas))
        largestDiskUsedBytes = usage.map(\.activeSize).max() ?? 0
        largestDiskTotalBytes = disks.compactMap(\.total).max().map { UInt64($0) } ?? 0
        scrubSeconds = told.compactMap(\.scrub).map(Self.scrubSeconds).max() ?? Self.neverScrubbedSeconds
    }

    /// Of a task that copies or copied enough; nil: nothing can be said.
    private static func rate(_ task: ClusterSurvey.Task) -> Double? {
        guard let bytes = task.bytes, bytes >= measurableBytes else { return nil }
        if task.state == "running", let rate = task.bytesPerSecond, rate > 0 { return rate }
        guard let start = task.startedMilliseconds, let end = task.finishedMilliseconds, end > start else { return nil }
        return Double(bytes) / Double(end - start) * 1000
    }

    /// A disk that takes longer to read than the interval is scrubbed without a pause.
    private static func scrubSeconds(_ scrub: ClusterSurvey.Scrub) -> Double {
        guard let interval = scrub.intervalSeconds, interval > 0 else { return neverScrubbedSeconds }
        let rounds = scrub.disks.map { Double($0.bytesRead + $0.bytesLeft) / Double(max(1, $0.rateLimit)) }
        return max(Double(interval), rounds.max() ?? 0)
    }
}
