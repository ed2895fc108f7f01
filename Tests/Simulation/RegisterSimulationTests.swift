import Foundation
import Linearizability
import Testing

/// `MARTLET_SEED=n` replays one run, `MARTLET_SEEDS=n` runs more of them.
private let seeds: Range<UInt64> = {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["MARTLET_SEED"].flatMap({ UInt64($0) }) { return seed..<seed + 1 }
    return 0..<(environment["MARTLET_SEEDS"].flatMap { UInt64($0) } ?? 10_000)
}()

/// One run after the other, and other tests of the process get their turn between them.
@Suite(.serialized) struct RegisterSimulationTests {
    @Test("no fault makes a history that is not linearizable")
    func correct() async {
        for seed in seeds {
            await Task.yield()
            let simulation = RegisterSimulation(seed: seed)
            if let violation = simulation.run() {
                Issue.record("MARTLET_SEED=\(seed): \(violation)\n\(HistoryFile.encode(simulation.history))")
                return
            }
        }
    }

    @Test("a seed gives the same run again", arguments: [0, 1, 162] as [UInt64])
    func replay(seed: UInt64) {
        let histories = (0..<2).map { _ in
            let simulation = RegisterSimulation(seed: seed)
            _ = simulation.run()
            return simulation.history
        }
        #expect(histories[0] == histories[1])
        #expect(histories[0].count > 15)
    }

    @Test("each planted mistake is found", arguments: PlantedMistake.ofRegisters)
    func planted(mistake: PlantedMistake) async {
        let seedsMax: UInt64 = 3_000
        for seed in 0..<seedsMax {
            await Task.yield()
            if RegisterSimulation(seed: seed, mistake: mistake).run() != nil { return }
        }
        Issue.record("\(mistake) was not found in \(seedsMax) seeds")
    }
}

/// Replicas forget, and repair gives them their memory and their vote back, while clients write.
@Suite(.serialized) struct MemoryLossSimulationTests {
    @Test("no loss of memory makes a history that is not linearizable, and what can be healed is healed")
    func correct() async {
        for seed in seeds {
            await Task.yield()
            let simulation = RegisterSimulation(seed: seed, scenario: .memoryLoss)
            if let violation = simulation.run() {
                Issue.record("MARTLET_SEED=\(seed): \(violation)\n\(HistoryFile.encode(simulation.history))")
                return
            }
        }
    }

    @Test("each planted mistake of healing is found", arguments: PlantedMistake.ofHealing)
    func planted(mistake: PlantedMistake) async {
        let seedsMax: UInt64 = 3_000
        for seed in 0..<seedsMax {
            await Task.yield()
            if RegisterSimulation(seed: seed, scenario: .memoryLoss, mistake: mistake).run() != nil { return }
        }
        Issue.record("\(mistake) was not found in \(seedsMax) seeds")
    }
}
