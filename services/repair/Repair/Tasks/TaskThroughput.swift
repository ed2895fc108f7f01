/// The rate of a task over the last half minute. A pure value: time is given.
struct TaskThroughput: Sendable {
    private struct Sample: Sendable {
        var time: Duration
        var progress: TaskProgress
    }

    private static let samplesMax = 16
    private static let spacing = Duration.seconds(2)
    private var samples: [Sample]

    init(now: Duration) { samples = [Sample(time: now, progress: TaskProgress())] }

    mutating func note(_ progress: TaskProgress, now: Duration) {
        guard let last = samples.last, now - last.time >= Self.spacing else { return }
        samples.append(Sample(time: now, progress: progress))
        if samples.count > Self.samplesMax { samples.removeFirst() }
    }

    /// Per second: of what is counted by `done`, of objects, of bytes.
    func rates(_ progress: TaskProgress, now: Duration) -> (done: Double, objects: Double, bytes: Double) {
        guard let first = samples.first else { return (0, 0, 0) }
        let seconds = max((now - first.time).inSeconds, 0.001)
        func rate(_ field: KeyPath<TaskProgress, UInt64>) -> Double {
            let (new, old) = (progress[keyPath: field], first.progress[keyPath: field])
            return new > old ? Double(new - old) / seconds : 0
        }
        return (rate(\.done), rate(\.objects), rate(\.bytes))
    }

    /// Seconds until all is done at this rate; nil: nobody can say.
    func secondsLeft(_ progress: TaskProgress, now: Duration) -> Double? {
        guard progress.total > 0 else { return nil }
        guard progress.total > progress.done else { return 0 }
        let rate = rates(progress, now: now).done
        return rate > 0 ? Double(progress.total - progress.done) / rate : nil
    }
}
