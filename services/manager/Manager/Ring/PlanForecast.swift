/// How fast a plan gets on and when it ends, by its last steps. A pure value: time is given.
///
/// Partitions are counted when they are done, several at a time, so between two steps the time since the last one counts as
/// well: of a plan that stands still the end moves away.
struct PlanForecast: Sendable {
    private struct Sample: Sendable {
        var time: Duration
        var open: Int
        var copied: UInt64
    }

    /// Steps that count: what was long ago says little about what comes.
    private static let samplesMax = 8

    let plan: UInt64
    /// Registers and chunks that repair has copied for it.
    private(set) var copied: UInt64 = 0
    private var samples: [Sample]

    /// - Parameter open: partitions that are left.
    init(plan: UInt64, open: Int, now: Duration) {
        self.plan = plan
        samples = [Sample(time: now, open: open, copied: 0)]
    }

    mutating func copied(_ count: UInt64) { copied &+= count }

    /// So many partitions are left. `isRunning`: a plan that is paused is expected to go on from here.
    mutating func note(open: Int, isRunning: Bool, now: Duration) {
        if !isRunning { return samples = [Sample(time: now, open: open, copied: copied)] }
        guard let last = samples.last, open < last.open else { return }
        samples.append(Sample(time: now, open: open, copied: copied))
        if samples.count > Self.samplesMax { samples.removeFirst() }
    }

    /// nil: no step has been seen yet, or the plan stands still on purpose.
    func secondsLeft(now: Duration) -> Int? {
        guard let first = samples.first, let last = samples.last, first.open > last.open else { return nil }
        let (steps, idle) = ((last.time - first.time) / .seconds(1), (now - last.time) / .seconds(1))
        // The next step is under way since the last one; when it takes longer than all those before, by that.
        let perPartition = 1 / Double(first.open - last.open)
        let left = max(steps * perPartition * Double(last.open) - idle, idle * perPartition * Double(last.open))
        return Int(left.rounded(.up))
    }

    /// Registers and chunks per second, over the same time; nil: not known yet.
    func copiedPerSecond(now: Duration) -> Double? {
        guard let first = samples.first, now > first.time else { return nil }
        return Double(copied &- first.copied) / ((now - first.time) / .seconds(1))
    }
}
