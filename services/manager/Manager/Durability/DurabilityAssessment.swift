import ClusterState

/// From facts to the report. Pure.
enum DurabilityAssessment {
    static let goal = 1e-9

    static func report(_ facts: DurabilityFacts) -> DurabilityReport {
        let now = scenario("now", bytes: facts.largestDiskUsedBytes, facts)
        let full = scenario("full disks", bytes: facts.largestDiskTotalBytes, facts)
        let allowed = CopyChain.repairSecondsAllowed(
            forLoss: goal, copies: facts.replicas, annualFailureRate: facts.annualFailureRate,
            corruptionsPerYear: facts.corruptionsPerYear, scrubSeconds: facts.scrubSeconds)
        return DurabilityReport(
            replicas: facts.replicas, annualFailureRate: facts.annualFailureRate,
            corruptionsPerYear: facts.corruptionsPerYear, scrubSeconds: facts.scrubSeconds, disks: facts.disks,
            objects: facts.objects, repairBytesPerSecond: facts.repairBytesPerSecond,
            rateSource: facts.isRateMeasured ? "measured" : "assumed", scenarios: [now, full],
            goalNines: CopyChain.nines(ofLoss: goal), repairSecondsForGoal: allowed,
            limit: limit(full, facts), remarks: remarks(facts))
    }

    private static func scenario(
        _ name: String, bytes: UInt64, _ facts: DurabilityFacts
    ) -> DurabilityReport.Scenario {
        let copying = Double(bytes) / max(facts.repairBytesPerSecond, 1)
        let repair = facts.detectionSeconds + facts.waitingSeconds + copying
        let chain = CopyChain(
            copies: facts.replicas, annualFailureRate: facts.annualFailureRate, repairSeconds: repair,
            corruptionsPerYear: facts.corruptionsPerYear, scrubSeconds: facts.scrubSeconds)
        let loss = chain.annualLoss
        return DurabilityReport.Scenario(
            name: name, bytes: bytes, detectionSeconds: facts.detectionSeconds, waitingSeconds: facts.waitingSeconds,
            copyingSeconds: copying, repairSeconds: repair, annualLoss: loss, nines: CopyChain.nines(ofLoss: loss),
            objectsLostPerYear: loss * Double(facts.objects))
    }

    /// What to change first, whether or not the goal is reached.
    private static func limit(
        _ scenario: DurabilityReport.Scenario, _ facts: DurabilityFacts
    ) -> DurabilityReport.Limit {
        let withoutRot = CopyChain.repairSecondsAllowed(
            forLoss: goal, copies: facts.replicas, annualFailureRate: facts.annualFailureRate, corruptionsPerYear: 0,
            scrubSeconds: 0)
        // Below a minute of repair time no way of repairing helps.
        guard let withoutRot, withoutRot >= 60 else { return .replicas }
        let rotten = facts.corruptionsPerYear * facts.scrubSeconds / 2
        if rotten > facts.annualFailureRate * scenario.repairSeconds { return .scrub }
        let parts: [(DurabilityReport.Limit, Double)] = [
            (.detection, scenario.detectionSeconds), (.waiting, scenario.waitingSeconds),
            (.copying, scenario.copyingSeconds),
        ]
        return parts.max { $0.1 < $1.1 }?.0 ?? .copying
    }

    private static func remarks(_ facts: DurabilityFacts) -> [String] {
        var remarks: [String] = []
        if !facts.isRateMeasured {
            remarks.append("no repair has copied enough yet to measure its rate: manager.repair_rate_assumed is taken")
        }
        if !facts.isRepairAutomatic {
            remarks.append(
                "manager.repair_wait is 0: nobody but an operator acts on a dead node, which is taken to last a day")
        }
        if facts.write < min(2, facts.replicas) {
            remarks.append(
                "W = 1: until the others have it, an acknowledged write has one copy, which is not counted here")
        }
        if !facts.unanswered.isEmpty {
            remarks.append("not counted, for they did not answer: \(facts.unanswered.joined(separator: ", "))")
        }
        return remarks
    }
}
