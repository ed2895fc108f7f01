import ClusterState
import Testing

@testable import Admin

@Suite("cluster health and durability for people")
struct HealthTextTests {
    private func report(_ grade: HealthReport.Grade, _ findings: [HealthReport.Finding] = []) -> HealthReport {
        var partitions = HealthReport.Partitions()
        partitions.total = 1024
        var nodes = HealthReport.Nodes()
        (nodes.total, nodes.running) = (3, 3)
        return HealthReport(
            health: grade, dataAtRisk: grade == .critical, partitions: partitions, nodes: nodes, waitingHints: 0,
            findings: findings)
    }

    @Test("A healthy cluster takes four lines")
    func healthy() {
        #expect(
            HealthText.screen(report(.ok)) == """
                health: ok, no data is at risk

                   partitions: 1024, all complete
                storage nodes: 3, 3 running
                missed writes: 0 wait
                """)
    }

    @Test("Findings come with what to do")
    func findings() {
        var sick = report(
            .critical,
            [
                .init(.critical, "cluster", "12 of 1024 partitions have no write quorum", action: "start storage-2"),
                .init(.ok, "cluster", "5 missed writes wait for delivery"),
            ])
        (sick.partitions.degraded, sick.partitions.withoutWriteQuorum) = (40, 12)
        (sick.nodes.running, sick.nodes.down) = (1, 2)
        #expect(
            HealthText.screen(sick) == """
                health: critical, data is at risk

                   partitions: 1024, 40 with fewer replicas, 12 without a write quorum
                storage nodes: 3, 1 running, 2 do not answer
                missed writes: 0 wait

                critical  cluster: 12 of 1024 partitions have no write quorum
                          -> start storage-2
                note      cluster: 5 missed writes wait for delivery
                """)
    }

    @Test("One screen, however much is wrong")
    func many() {
        let findings = (0..<50).map { HealthReport.Finding(.degraded, "n\($0)", "p") }
        let lines = HealthText.screen(report(.degraded, findings)).split(separator: "\n")
        #expect(lines.count == 4 + 20 + 1 && lines.last == "and 30 more (--json shows all)")
    }

    @Test("The grade decides how the process ends")
    func status() throws {
        let verb = try #require(AdminTool.parseAsRoot(["cluster", "health"]) as? any VerbCommand)
        for (grade, status) in [
            (HealthReport.Grade.ok, ExitStatus.done), (.degraded, .degraded), (.critical, .critical),
        ] {
            #expect(try verb.status(ReportCoding.encode(report(grade))) == status)
        }
    }

    @Test("durability tells from what, how much and what limits it")
    func durability() {
        let scenario = DurabilityReport.Scenario(
            name: "now", bytes: 180 << 30, detectionSeconds: 3.5, waitingSeconds: 3600, copyingSeconds: 1800,
            repairSeconds: 5403.5, annualLoss: 4.97e-12, nines: 11.3036, objectsLostPerYear: 4.97e-6)
        let text = DurabilityText.screen(
            DurabilityReport(
                replicas: 3, annualFailureRate: 0.03, corruptionsPerYear: 1e-6, scrubSeconds: 604_800, disks: 12,
                objects: 1_000_000, repairBytesPerSecond: 104_857_600, rateSource: "measured", scenarios: [scenario],
                goalNines: 9, repairSecondsForGoal: 76_650, limit: .waiting, remarks: ["a remark"]))
        for line in [
            "disks that fail in a year | 3.00 %", "copies that rot in a year | 1.0e-04 %",
            "time between two scrubs | 7 d",
            "repair copies | 100 MiB a second, measured",
            "its repair takes | 1 h 30 min: 3.5 s to notice, 1 h to begin, 30 min to copy", "nines | 11.3",
            "loss of an object in a year | 5.0e-12", "reached when | a lost disk is repaired within 21 h 17 min",
            "limited by | the time until work on a lost disk begins (manager.repair_wait)",
        ] { #expect(text.contains(line), "\(line) in\n\(text)") }
        #expect(text.hasSuffix("a remark"))
    }

    @Test("Time spans", arguments: [(0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_600, "1 h"), (90_000, "1 d 1 h")])
    func spans(seconds: Int64, text: String) { #expect(DurationText.make(seconds: seconds) == text) }
}
