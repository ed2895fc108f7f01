import Testing

/// The same test with a mistake in it must fail.
@Suite struct PlantedMistakeTests {
    private static let seeds: ClosedRange<UInt64> = 1...20

    @Test("Each planted mistake is found", arguments: ModelMistake.allCases)
    func planted(_ mistake: ModelMistake) throws {
        let folder = try TemporaryFolder()
        var points = 0
        for seed in Self.seeds {
            let sweep = try CrashSweep(seed: seed, folder: folder.path, mistake: mistake)
            if let fault = sweep.crashEverywhere().first {
                return print("\(mistake): found after \(points) points, then \(fault.prefix(200))")
            }
            points += sweep.operations
        }
        Issue.record("\(mistake) was not found in \(points) crash points")
    }
}
