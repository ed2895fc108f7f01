import ObjectLog
import Testing

/// Random records against a list, with a crash at a random operation of the disk, again and again on the same disk.
@Suite struct CrashModelTests {
    @Test("Whatever a crash takes, what was acknowledged is there, in order, and nothing that was cut comes back")
    func crashes() throws {
        for seed in UInt64(1)...400 {
            var run = CrashRun(seed: seed)
            for generation in 0..<3 {
                try run.step()
                if let fault = run.fault {
                    Issue.record("seed \(seed), crash \(generation): \(fault)")
                    return
                }
            }
        }
    }
}

private struct CrashRun {
    private var generator: SplitMix
    private var directory = SimulatedDirectory()
    /// What the log holds, as the last start found it.
    private var truth: [String] = []
    private var nextName = 0
    private(set) var fault: String?

    init(seed: UInt64) { generator = SplitMix(state: seed) }

    /// Opens, checks, appends until the crash.
    mutating func step() throws {
        directory.crash(after: Int.random(in: 1...60, using: &generator))
        var acknowledged = truth.count
        var appended = truth
        if let open = try? OpenLog(directory, lazyDelay: .milliseconds(1)) {
            let found = open.replayed.map(\.text)
            if found != truth { return fault = "a second start found \(found.count) records, not \(truth.count)" }
            (appended, acknowledged) = append(to: open)
            open.log.stop()
            acknowledged = max(acknowledged, truth.count)
        }
        try restart(appended: appended, acknowledged: acknowledged)
    }

    private mutating func append(to open: OpenLog) -> (appended: [String], acknowledged: Int) {
        var names = truth
        var positions: [LogPosition] = []
        while open.collector.failure == nil, names.count < truth.count + 200 {
            nextName += 1
            let size = [0, 10, 600, 3000, 20_000].randomElement(using: &generator)!
            let urgency: Urgency = Int.random(in: 0..<3, using: &generator) == 0 ? .lazy : .now
            guard let position = try? open.log.append(.text("\(nextName)", payload: size), urgency: urgency) else {
                break
            }
            names.append("\(nextName)")
            positions.append(position)
            if urgency == .now, Bool.random(using: &generator) { open.collector.wait(for: position) }
        }
        // A sync that is under way may still end.
        let acknowledged = { positions.filter { $0 < open.collector.end }.count }
        directory.crash(after: 1)
        open.log.stop()
        return (names, truth.count + acknowledged())
    }

    private mutating func restart(appended: [String], acknowledged: Int) throws {
        directory = directory.afterCrash(
            SimulatedDirectory.Loss.allCases.randomElement(using: &generator)!, using: &generator)
        let open = try OpenLog(directory)
        let found = open.replayed.map(\.text)
        open.log.stop()
        if found != Array(appended.prefix(found.count)) { fault = "found \(found), appended \(appended)" }
        if found.count < acknowledged { fault = "\(acknowledged) acknowledged, \(found.count) found" }
        if !open.report.damages.isEmpty { fault = "damage: \(open.report.damages)" }
        truth = found
    }
}

private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
