import ObjectLog
import Testing

/// Random records against a list, with a crash at a random operation of the disk, again and again on the same disk.
@Suite struct CrashModelTests {
    @Test("Whatever a crash takes, what was acknowledged is there, in order, and nothing that was cut comes back")
    func crashes() throws {
        var removals = 0
        var directWrites = 0
        defer {
            #expect(removals > 100)
            #expect(directWrites > 1000)
        }
        for seed in UInt64(1)...400 {
            var run = CrashRun(seed: seed)
            for generation in 0..<3 {
                try run.step()
                if let fault = run.fault {
                    Issue.record("seed \(seed), crash \(generation): \(fault)")
                    return
                }
            }
            removals += run.removals
            directWrites += run.directWrites
        }
    }
}

private struct CrashRun {
    private var generator: SplitMix
    private var directory = SimulatedDirectory()
    /// What the log holds, as the last start found it.
    private var truth: [Kept] = []
    private var nextName = 0
    private(set) var fault: String?
    /// Removals that succeeded, over all generations.
    private(set) var removals = 0
    var directWrites: Int { directory.directWrites }

    fileprivate struct Kept: Equatable {
        let text: String
        let segment: UInt32
    }

    /// What one generation did.
    private struct Past {
        var appended: [Kept]
        /// So many of them were acknowledged.
        var acknowledged: Int
        /// Segments whose removal was asked for; whether it was confirmed.
        var removed: [UInt32: Bool] = [:]
    }

    init(seed: UInt64) { generator = SplitMix(state: seed) }

    /// Opens, checks, appends and removes until the crash.
    mutating func step() throws {
        directory.crash(after: Int.random(in: 1...80, using: &generator))
        var past = Past(appended: truth, acknowledged: truth.count)
        // Some of the batches, all of them, or none go past the cache.
        let directFrom = [1, 700, 2000, 1 << 20].randomElement(using: &generator)!
        if let open = try? OpenLog(directory, lazyDelay: .milliseconds(1), directFrom: directFrom) {
            let found = open.replayed.map(Kept.init)
            if found != truth { return fault = "a second start found \(found.count) records, not \(truth.count)" }
            past = work(with: open)
            open.log.stop()
        }
        try restart(past)
    }

    private mutating func work(with open: OpenLog) -> Past {
        var past = Past(appended: truth, acknowledged: truth.count)
        var positions: [LogPosition] = []
        while open.collector.failure == nil, positions.count < 200 {
            nextName += 1
            let size = [0, 10, 600, 3000, 20_000].randomElement(using: &generator)!
            let urgency: Urgency = Int.random(in: 0..<3, using: &generator) == 0 ? .lazy : .now
            guard let position = try? open.log.append(.text("\(nextName)", payload: size), urgency: urgency) else {
                break
            }
            past.appended.append(Kept(text: "\(nextName)", segment: position.segment))
            positions.append(position)
            if urgency == .now, Bool.random(using: &generator) { open.collector.wait(for: position) }
            if Int.random(in: 0..<12, using: &generator) == 0 { remove(from: open.log, &past) }
        }
        // A sync that is under way may still end.
        directory.crash(after: 1)
        open.log.stop()
        past.acknowledged += positions.filter { $0 < open.collector.end }.count
        return past
    }

    private mutating func remove(from log: ObjectLog, _ past: inout Past) {
        guard let segment = log.segments.filter(\.isSealed).randomElement(using: &generator)?.number else { return }
        past.removed[segment] = false
        guard (try? log.remove(segment: segment)) != nil else { return }
        past.removed[segment] = true
        removals += 1
    }

    private mutating func restart(_ past: Past) throws {
        directory = directory.afterCrash(
            SimulatedDirectory.Loss.allCases.randomElement(using: &generator)!, using: &generator)
        let open = try OpenLog(directory)
        let found = open.replayed.map(Kept.init)
        open.log.stop()
        // A removal that was not confirmed happened as a whole or not at all.
        let gone = past.removed.filter { $0.value || !open.log.segments.map(\.number).contains($0.key) }.keys
        let left = past.appended.filter { !gone.contains($0.segment) }
        let acknowledged = past.appended.prefix(past.acknowledged).filter { !gone.contains($0.segment) }
        if found != Array(left.prefix(found.count)) { fault = "found \(found), appended \(left)" }
        if found.count < acknowledged.count { fault = "\(acknowledged.count) acknowledged, \(found.count) found" }
        if !open.report.damages.isEmpty { fault = "damage: \(open.report.damages)" }
        truth = found
    }
}

extension CrashRun.Kept {
    fileprivate init(_ record: ReplayedRecord) {
        self.init(text: record.text, segment: record.position.segment)
    }
}

struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
