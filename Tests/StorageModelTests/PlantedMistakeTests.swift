import Testing

/// The same test with a mistake in it must fail.
@Suite struct PlantedMistakeTests {
    @Test("A disk that lies is found out", arguments: LyingDirectory.Lie.allCases)
    func lies(_ lie: LyingDirectory.Lie) throws {
        let folder = try TemporaryFolder()
        for seed in UInt64(1)...10 {
            let sweep = try CrashSweep(seed: seed, folder: folder.path) { LyingDirectory($0, lie) }
            if !sweep.crashEverywhere().isEmpty { return }
        }
        Issue.record("nothing was found")
    }
}
