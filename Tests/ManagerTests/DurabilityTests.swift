import ClusterState
import Model
import Testing

@testable import Manager

@Suite("Durability")
struct DurabilityTests {
    private static let day = 86_400.0
    private static let year = CopyChain.secondsPerYear

    private func isClose(_ value: Double, _ expected: Double, within part: Double = 1e-9) -> Bool {
        abs(value - expected) <= abs(expected) * part
    }

    /// The expected values come from the linear equations of the chain, solved with exact fractions by another program.
    @Test(
        "The probability of loss is that of the Markov chain",
        arguments: [
            (1, 0.03, 86_400, 0.03), (2, 0.03, 86_400, 5.078871550968513e-06),
            (3, 0.03, 86_400, 1.2705206309752728e-09),
            (3, 0.03, 21_600, 7.942740956386429e-11), (3, 0.015, 223_200, 1.035745407620885e-09),
            (4, 0.05, 259_200, 9.186105714410015e-11), (2, 0.5, CopyChain.secondsPerYear, 0.26804705857207733),
        ] as [(Int, Double, Double, Double)])
    func chain(copies: Int, rate: Double, repair: Double, expected: Double) {
        let loss = CopyChain(copies: copies, annualFailureRate: rate, repairSeconds: repair).annualLoss
        #expect(isClose(loss, expected), "\(loss)")
    }

    /// Two copies by hand: a chain of two steps has the mean time (3λ + μ) / 2λ².
    @Test("Two copies are lost after (3λ + μ) / 2λ²")
    func mirror() {
        let chain = CopyChain(copies: 2, annualFailureRate: 0.03, repairSeconds: Self.day)
        let (λ, μ) = (chain.lossesPerYear, 365.25)
        #expect(isClose(λ, 0.030_459_207_484_708_574))
        #expect(isClose(chain.meanYearsToLoss, (3 * λ + μ) / (2 * λ * λ)))
    }

    @Test("It is n! λⁿ Tⁿ⁻¹ while repairs are short", arguments: [2, 3, 4])
    func approximation(copies: Int) {
        let chain = CopyChain(copies: copies, annualFailureRate: 0.03, repairSeconds: 6 * 3600)
        var rule = 1.0
        for lost in 0..<copies { rule *= Double(copies - lost) * chain.lossesPerYear }
        for _ in 1..<copies { rule *= 6 * 3600 / Self.year }
        #expect(isClose(chain.annualLoss, rule, within: 0.001))
    }

    @Test("Rot counts with half the time between two scrubs")
    func rot() {
        let chain = CopyChain(
            copies: 3, annualFailureRate: 0.03, repairSeconds: Self.day, corruptionsPerYear: 1e-3,
            scrubSeconds: 30 * Self.day)
        #expect(isClose(chain.annualLoss, 2.9224431280311796e-09))
    }

    @Test(
        "How long a repair may take for nine nines",
        arguments: [
            (2, 0.03, 17.007355685057643), (3, 0.015, 219_313.85320411113), (3, 0.03, 76_650.44968629754),
            (4, 0.03, 1_152_253.596757629),
        ] as [(Int, Double, Double)])
    func allowed(copies: Int, rate: Double, expected: Double) throws {
        let seconds = try #require(
            CopyChain.repairSecondsAllowed(
                forLoss: 1e-9, copies: copies, annualFailureRate: rate, corruptionsPerYear: 0, scrubSeconds: 0))
        #expect(isClose(seconds, expected, within: 1e-6))
    }

    @Test("One copy never has nine nines")
    func single() {
        #expect(
            CopyChain.repairSecondsAllowed(
                forLoss: 1e-9, copies: 1, annualFailureRate: 0.03, corruptionsPerYear: 0, scrubSeconds: 0) == nil)
        #expect(CopyChain.nines(ofLoss: 0.001) == 3)
        #expect(CopyChain.nines(ofLoss: 0) == 99)
    }

    // MARK: - Report

    private var facts: DurabilityFacts {
        var facts = DurabilityFacts()
        facts.detectionSeconds = 3.5
        facts.waitingSeconds = 3600
        facts.repairBytesPerSecond = 1e8
        facts.isRateMeasured = true
        facts.disks = 12
        facts.objects = 1_000_000
        facts.largestDiskUsedBytes = 180_000_000_000
        facts.largestDiskTotalBytes = 16_000_000_000_000
        return facts
    }

    @Test("The report computes both scenarios and names what takes longest")
    func report() {
        let report = DurabilityAssessment.report(facts)
        #expect(report.scenarios.map(\.name) == ["now", "full disks"])
        let (now, full) = (report.scenarios[0], report.scenarios[1])
        #expect(now.copyingSeconds == 1_800 && now.repairSeconds == 5_403.5)
        #expect(full.copyingSeconds == 160_000 && full.repairSeconds == 163_603.5)
        #expect(now.nines > 9 && full.nines < 9, "44 hours to copy are too long: \(full.nines)")
        #expect(isClose(now.objectsLostPerYear, now.annualLoss * 1e6))
        #expect(report.limit == .copying && report.rateSource == "measured" && report.remarks.isEmpty)
        #expect(isClose(report.repairSecondsForGoal ?? 0, 76_650.45, within: 1e-6))
    }

    @Test("What limits it")
    func limits() {
        var waiting = facts
        waiting.waitingSeconds = 7 * Self.day
        #expect(DurabilityAssessment.report(waiting).limit == .waiting)
        var few = facts
        few.replicas = 2
        #expect(DurabilityAssessment.report(few).limit == .replicas)
        var rotten = facts
        (rotten.corruptionsPerYear, rotten.scrubSeconds) = (1e-3, 365 * Self.day)
        #expect(DurabilityAssessment.report(rotten).limit == .scrub)
        var noticed = facts
        (noticed.detectionSeconds, noticed.waitingSeconds, noticed.repairBytesPerSecond) = (60, 0, 1e15)
        #expect(DurabilityAssessment.report(noticed).limit == .detection)
    }

    @Test("What is only assumed or missing is said")
    func remarks() {
        var assumed = facts
        assumed.isRateMeasured = false
        assumed.write = 1
        assumed.unanswered = ["storage-2"]
        let remarks = DurabilityAssessment.report(assumed).remarks
        #expect(remarks.count == 3 && remarks[2].contains("storage-2") && remarks[1].hasPrefix("W = 1"))
    }

    // MARK: - Facts

    private func storageNode(_ disks: [(used: UInt64, total: Int)], interval: Int64 = 604_800) -> ClusterSurvey.Node {
        var node = ClusterSurvey.Node()
        node.disks = DiskListReport(
            disks: disks.enumerated().map { index, disk in
                .init(
                    name: "disk-\(index)", path: "/\(index)", id: nil, state: "running", reason: nil, weight: 1,
                    free: 0,
                    total: disk.total, slots: 128, slotsWanted: 128, doubtfulSlots: 0, damagedRecords: 0)
            },
            moves: .init(
                state: "idling", from: nil, to: nil, slotsLeft: 0, slotsMoved: 0, bytesMoved: 0, unreadable: 0,
                reason: nil))
        node.usage = DiskUsageReport(
            disks: disks.map {
                .init(
                    path: "", activeObjects: 300, totalObjects: 400, activeSize: $0.used, totalSize: $0.used,
                    state: "ok")
            })
        node.scrub = .init(
            disks: [.init(bytesRead: 0, bytesLeft: 10_000, rateLimit: 1)], damaged: 0, intervalSeconds: interval)
        return node
    }

    @Test("Facts come from what the nodes report")
    func gathered() async throws {
        let fixture = try await Fixture()
        try await fixture.attach(3)
        var survey = ClusterSurvey()
        survey.nodes["storage-1"] = storageNode([(5, 100), (7, 200)])
        survey.nodes["storage-2"] = storageNode([(6, 300)], interval: 100)
        survey.nodes["storage-3"] = ClusterSurvey.Node(failure: "gone")
        survey.nodes["repair"] = ClusterSurvey.Node(tasks: [
            .init(
                kind: "recover-node", state: "done", bytes: 1 << 30, startedMilliseconds: 0, finishedMilliseconds: 8_000
            ),
            .init(kind: "anti-entropy", state: "running", bytes: 1 << 30, bytesPerSecond: 1_000),
            .init(kind: "recover-file", state: "done", bytes: 100, startedMilliseconds: 0, finishedMilliseconds: 1),
        ])
        let facts = DurabilityFacts(fixture.view, survey, DurabilityAssumptions())
        #expect(facts.disks == 3 && facts.objects == 300)
        #expect(facts.largestDiskUsedBytes == 7 && facts.largestDiskTotalBytes == 300)
        #expect(facts.repairBytesPerSecond == Double(1 << 27) && facts.isRateMeasured)
        #expect(facts.unanswered == ["storage-3"])
        #expect(facts.scrubSeconds == 604_800)
        survey.nodes["repair"] = nil
        survey.nodes["storage-1"]?.scrub?.intervalSeconds = 100
        let assumed = DurabilityFacts(fixture.view, survey, DurabilityAssumptions())
        #expect(!assumed.isRateMeasured && assumed.repairBytesPerSecond == 33_554_432)
        #expect(assumed.scrubSeconds == 10_000, "a disk that takes longer than the interval")
    }
}
