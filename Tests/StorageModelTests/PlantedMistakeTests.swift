import Foundation
import ObjectLog
import Testing

/// The same test with a mistake in it must fail.
@Suite struct PlantedMistakeTests {
    /// These show only in some histories: after some 200 crash points, a cut end that is not zeroed after 350 to thousands.
    private static let hidden: Set<ModelMistake> = [.lie(.zeroing), .keptRemnants, .unloggedDoubt]
    private static let findsHidden = ProcessInfo.processInfo.environment["MARTLET_PLANTED_MISTAKES"] == "all"

    @Test("Each planted mistake is found", arguments: ModelMistake.allCases.filter { !hidden.contains($0) })
    func planted(_ mistake: ModelMistake) throws { try find(mistake, seeds: 1...20) }

    @Test(
        "Mistakes that show only in some histories are found",
        .enabled(if: findsHidden, "takes minutes: set MARTLET_PLANTED_MISTAKES=all"), arguments: hidden)
    func rare(_ mistake: ModelMistake) throws { try find(mistake, seeds: 1...100) }

    private func find(_ mistake: ModelMistake, seeds: ClosedRange<UInt64>) throws {
        let folder = try TemporaryFolder()
        var points = 0
        for seed in seeds {
            let sweep = try CrashSweep(seed: seed, folder: folder.path, mistake: mistake)
            if let fault = sweep.crashEverywhere().first {
                return print("\(mistake): found after \(points) points, then \(fault.prefix(200))")
            }
            points += sweep.operations
        }
        Issue.record("\(mistake) was not found in \(points) crash points")
    }
}
