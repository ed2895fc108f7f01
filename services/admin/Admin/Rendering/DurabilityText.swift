import ClusterState
import Foundation

/// `durability` for people.
enum DurabilityText {
    static func screen(_ report: DurabilityReport) -> String {
        let rate = ByteText.make(UInt64(report.repairBytesPerSecond)) + " a second, \(report.rateSource)"
        let facts = ItemList.Section(
            title: "From",
            items: [
                ("replicas", "\(report.replicas)"), ("disks", "\(report.disks)"), ("objects", "\(report.objects)"),
                ("disks that fail in a year", percent(report.annualFailureRate)),
                ("copies that rot in a year", percent(report.corruptionsPerYear)),
                ("time between two scrubs", duration(report.scrubSeconds)), ("repair copies", rate),
            ])
        let goal = report.repairSecondsForGoal.map { "a lost disk is repaired within \(duration($0))" }
        let result = ItemList.Section(
            title: "Goal",
            items: [
                ("goal", "\(String(format: "%.0f", report.goalNines)) nines"),
                ("reached when", goal ?? "not by quicker repair"), ("limited by", limit(report.limit)),
            ])
        let sections = [facts] + report.scenarios.map(section) + [result]
        return ([ItemList(sections: sections, valueWidth: 40).text] + report.remarks).joined(separator: "\n")
    }

    private static func section(_ scenario: DurabilityReport.Scenario) -> ItemList.Section {
        let parts =
            "\(duration(scenario.detectionSeconds)) to notice, \(duration(scenario.waitingSeconds)) to begin, "
            + "\(duration(scenario.copyingSeconds)) to copy"
        return ItemList.Section(
            title: scenario.name == "now" ? "With what the disks hold now" : "With full disks",
            items: [
                ("the largest disk", ByteText.make(scenario.bytes)),
                ("its repair takes", "\(duration(scenario.repairSeconds)): \(parts)"),
                ("loss of an object in a year", String(format: "%.1e", scenario.annualLoss)),
                ("nines", nines(scenario.nines)),
                ("objects lost in a year", String(format: "%.1e", scenario.objectsLostPerYear)),
            ])
    }

    /// Whole nines are what is promised: never rounded up.
    private static func nines(_ nines: Double) -> String { String(format: "%.1f", (nines * 10).rounded(.down) / 10) }

    private static func percent(_ part: Double) -> String {
        String(format: part < 0.0001 ? "%.1e %%" : "%.2f %%", part * 100)
    }

    private static func duration(_ seconds: Double) -> String {
        seconds < 10 ? String(format: "%.1f s", seconds) : DurationText.make(seconds: Int64(min(seconds, 1e15)))
    }

    private static func limit(_ limit: DurabilityReport.Limit) -> String {
        switch limit {
        case .replicas: "the number of replicas: no repair is quick enough"
        case .detection: "the time until a failure is noticed"
        case .waiting: "the time until work on a lost disk begins (manager.repair_wait)"
        case .copying: "the rate of repair"
        case .scrub: "the time between two scrubs"
        }
    }
}
