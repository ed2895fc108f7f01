import Foundation
import Linearizability
import Testing

/// `MARTLET_SEED=n` replays one run, `MARTLET_SEEDS=n` runs more of them.
private let seeds: Range<UInt64> = {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["MARTLET_SEED"].flatMap({ UInt64($0) }) { return seed..<seed + 1 }
    return 0..<(environment["MARTLET_SEEDS"].flatMap { UInt64($0) } ?? 10_000)
}()

/// Replicas come, go and return while clients write and everything fails now and then.
@Suite(.serialized) struct RingChangeSimulationTests {
    @Test("no change of the ring makes a history that is not linearizable, and every plan ends")
    func correct() async {
        let share = 2
        let violation: String? = await withTaskGroup(of: String?.self) { group in
            for offset in 0..<share { group.addTask { await Self.violation(from: UInt64(offset), by: share) } }
            return await group.reduce(String?.none) { $0 ?? $1 }
        }
        if let violation { Issue.record("\(violation)") }
    }

    /// The first violation of every so manieth run.
    private static func violation(from offset: UInt64, by step: Int) async -> String? {
        for seed in stride(from: seeds.lowerBound + offset, to: seeds.upperBound, by: step) {
            await Task.yield()
            let simulation = RingChangeSimulation(seed: seed)
            guard let violation = simulation.run() else { continue }
            return """
                MARTLET_SEED=\(seed): \(violation)
                \(simulation.summary)
                \(HistoryFile.encode(simulation.history))
                """
        }
        return nil
    }

    @Test("plans finish, are taken back and follow each other")
    func variety() {
        var (finished, withdrawn, epochs) = (0, 0, 0)
        for seed in 0..<200 as Range<UInt64> {
            let simulation = RingChangeSimulation(seed: seed)
            #expect(simulation.run() == nil)
            finished += simulation.plan?.phase == .done ? 1 : 0
            withdrawn += simulation.plan?.phase == .withdrawn ? 1 : 0
            epochs = max(epochs, Int(simulation.table.epoch))
        }
        #expect(finished > 120 && withdrawn > 10 && epochs >= 7, "\(finished) \(withdrawn) \(epochs)")
    }

    @Test("each planted mistake is found", arguments: RingMistake.allCases)
    func planted(mistake: RingMistake) async {
        let seedsMax: UInt64 = 5_000
        for seed in 0..<seedsMax {
            await Task.yield()
            guard RingChangeSimulation(seed: seed, mistake: mistake).run() != nil else { continue }
            print("\(mistake) is found by seed \(seed)")
            return
        }
        Issue.record("\(mistake) was not found in \(seedsMax) seeds")
    }
}
