import FailureDetection
import Foundation
import Model
import TestKit
import Testing

/// `MARTLET_SEED=n` replays one run, `MARTLET_SEEDS=n` runs another number of them.
private let seeds: Range<UInt64> = {
    let environment = ProcessInfo.processInfo.environment
    if let seed = environment["MARTLET_SEED"].flatMap({ UInt64($0) }) { return seed..<seed + 1 }
    return 0..<(environment["MARTLET_SEEDS"].flatMap { UInt64($0) } ?? 40)
}()

@Suite("Failure detectors of a simulated cluster")
struct DetectorSimulationTests {
    /// What a run may be like: up to a fifth of the messages lost, none later than a second.
    private func simulation(
        seed: UInt64, members: Range<Int> = 3..<8, lossMax: Double = 0.2, delayMax: Double = 1, seconds: Int = 40
    ) -> (run: DetectorSimulation, random: SeededGenerator) {
        var random = SeededGenerator(seed: seed ^ 0x5bd1_e995)
        let (loss, delay) = (lossMax * Double(random.number(0..<101)) / 100, Double(random.number(1..<101)) / 100)
        let simulation = DetectorSimulation(
            members: random.number(members), loss: loss, delay: delay * delayMax, seconds: seconds, seed: seed)
        return (simulation, random)
    }

    @Test("Nobody who lives is given up, whatever is lost, while messages take less than a second")
    func noFalseAlarm() async {
        for seed in seeds {
            await Task.yield()
            let (run, _) = simulation(seed: seed)
            run.run()
            #expect(run.downs.isEmpty, "MARTLET_SEED=\(seed)")
            for observer in run.names {
                for name in run.names where name != observer {
                    #expect(run.verdict(of: observer, on: name) != .unknown, "MARTLET_SEED=\(seed)")
                }
            }
        }
    }

    @Test("All notice a death within 5 seconds, blame nobody else, and notice the return")
    func death() async {
        for seed in seeds {
            await Task.yield()
            var (run, random) = simulation(seed: seed)
            let (victim, time) = (random.pick(run.names), 10 + Double(random.number(0..<1_000)) / 1000)
            run.at(time) { run.kill(victim) }
            run.at(time + 12) { run.restart(victim) }
            run.run()
            #expect(run.downs.allSatisfy { $0.directive == .down(victim) }, "MARTLET_SEED=\(seed)")
            for observer in run.names where observer != victim {
                let noticed = run.downs.first { $0.observer == observer }
                #expect(noticed.map { $0.seconds - time <= 5 } == true, "MARTLET_SEED=\(seed) \(observer)")
                let back = run.events.first {
                    $0.observer == observer && $0.directive == .up(victim) && $0.seconds > time
                }
                let wait = (back?.seconds ?? .infinity) - time - 12
                #expect(wait > 0 && wait < 5, "MARTLET_SEED=\(seed) \(observer)")
            }
        }
    }

    @Test("Who is still reached through another is not given up, whatever else is cut")
    func bridge() async {
        for seed in seeds {
            await Task.yield()
            var (run, random) = simulation(seed: seed, members: 3..<6, lossMax: 0.05, delayMax: 0.25)
            // Everything but the links of one member may be cut, in one direction or both.
            let bridge = random.pick(run.names)
            let others = run.names.filter { $0 != bridge }
            let pairs = others.flatMap { a in others.filter { $0 != a }.map { (a, $0) } }
            let isOneWay = random.chance(0.5)
            for (a, b) in pairs where !isOneWay || random.chance(0.5) { run.at(5) { run.cut(a, b) } }
            run.run()
            #expect(run.downs.isEmpty, "MARTLET_SEED=\(seed)")
        }
    }

    @Test("Two halves give each other up within 5 seconds, keep their own, and find each other again")
    func halves() async {
        for seed in seeds {
            await Task.yield()
            let (run, _) = simulation(seed: seed, members: 4..<7)
            let left = Set(run.names.prefix(run.names.count / 2))
            run.at(10) {
                for a in run.names {
                    for b in run.names where left.contains(a) != left.contains(b) { run.cut(a, b) }
                }
            }
            run.at(15) {
                for a in run.names {
                    for b in run.names where a != b {
                        let isFar = left.contains(a) != left.contains(b)
                        #expect((run.verdict(of: a, on: b) == .down) == isFar, "MARTLET_SEED=\(seed) \(a) on \(b)")
                    }
                }
            }
            run.at(20) { run.heal() }
            run.at(25) {
                for a in run.names {
                    for b in run.names where a != b {
                        #expect(run.verdict(of: a, on: b) != .down, "MARTLET_SEED=\(seed) \(a) on \(b)")
                    }
                }
            }
            run.run()
            #expect(run.downs.allSatisfy { $0.seconds < 15 }, "MARTLET_SEED=\(seed)")
        }
    }

    @Test("Who reaches nobody any more gives the others up, and they keep it")
    func deaf() {
        let run = DetectorSimulation(members: 3, loss: 0, delay: 0.001, seconds: 20, seed: 1)
        run.at(5) { run.cut("n1", "n2") }
        run.at(5) { run.cut("n3", "n2") }
        run.run()
        #expect(Set(run.downs.map(\.directive)) == [.down("n1"), .down("n3")])
        #expect(run.downs.allSatisfy { $0.observer == "n2" })
    }

    @Test("A seed gives the same run again")
    func replay() {
        let runs = (0..<2).map { _ in
            let (run, _) = simulation(seed: 3)
            run.at(8) { run.kill("n1") }
            run.run()
            return run.events
        }
        #expect(runs[0] == runs[1] && !runs[0].isEmpty)
    }
}
