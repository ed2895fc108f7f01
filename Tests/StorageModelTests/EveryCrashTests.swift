import Foundation
import Synchronization
import Testing

/// The whole disk, log and index, against a dictionary.
///
/// `MARTLET_CRASH_POINTS`: how many, default 2,000. `MARTLET_CRASH_SEED`: the first seed, default 1; a fault names the
/// seed to start from.
@Suite struct EveryCrashTests {
    private static func number(_ variable: String, default value: Int) -> Int {
        ProcessInfo.processInfo.environment[variable].flatMap(Int.init) ?? value
    }

    @Test("Killed at every single operation on its files, a disk has exactly what it acknowledged")
    func everyOperation() throws {
        let wanted = Self.number("MARTLET_CRASH_POINTS", default: 2000)
        let first = UInt64(Self.number("MARTLET_CRASH_SEED", default: 1))
        let folder = try TemporaryFolder()
        var (seed, points, tally) = (first, 0, DiskModel.Tally())
        while points < wanted {
            let sweep = try CrashSweep(seed: seed, folder: folder.path)
            let faults = sweep.crashEverywhere()
            points += sweep.operations
            tally += sweep.tally
            for fault in faults { Issue.record("MARTLET_CRASH_SEED=\(seed): \(fault)") }
            if !faults.isEmpty { return }
            seed += 1
        }
        print("\(points) crash points of the seeds \(first) to \(seed - 1): \(tally)")
        // A few points need not have met everything.
        guard points >= 1000 else { return }
        #expect(tally.removedSegments > 0 && tally.moves > 0 && tally.doubts > 0 && tally.damages > 0)
        #expect(tally.purges > 0 && tally.departures > 0)
    }
}

extension CrashSweep {
    /// Crashes at each operation once. What went wrong, in no order; a few at most.
    func crashEverywhere() -> [String] {
        let faults = Mutex<[String]>([])
        DispatchQueue.concurrentPerform(iterations: operations) { index in
            guard faults.withLock({ $0.count < 3 }) else { return }
            do { try crash(at: index + 1) } catch {
                faults.withLock { $0.append("operation \(index + 1) of \(operations): \(error)") }
            }
        }
        return faults.withLock { $0 }
    }
}
