/// How fast a task may go: never above its limits, and slower while small requests to the same nodes take longer than they
/// do on a quiet cluster, so that clients come first. A pure value: time is given.
///
/// The same idea as in LEDBAT: rising delay tells of a queue that others wait in too. Delay is taken against the least that
/// was seen lately, so it needs no figure for what is fast.
struct TaskPace: Sendable {
    /// Slower than this part of its limit a task never gets: it slows down and never ends.
    static let slowestPart = 1.0 / 64
    private static let windowLength = Duration.seconds(60)
    private static let reactionLength = Duration.milliseconds(500)
    /// What is short in any case says nothing.
    private static let harmlessDelay = Duration.milliseconds(8)
    /// Where a task begins that has not learned yet what is usual: full speed at once would be what is usual then.
    static let firstPart = 1.0 / 8

    private var objects: Allowance
    private var bytes: Allowance?
    /// Part of the limits that is allowed now.
    private(set) var part: Double
    private var least: (former: Duration?, present: Duration?) = (nil, nil)
    private var windowEnd: Duration
    private var lastReaction: Duration

    /// - Parameters:
    ///   - bytesPerSecond: 0: no limit.
    ///   - part: of the limits, to begin with.
    init(objectsPerSecond: Int, bytesPerSecond: Int = 0, part: Double = 1, now: Duration) {
        self.part = part
        objects = Allowance(perSecond: objectsPerSecond, now: now)
        bytes = bytesPerSecond > 0 ? Allowance(perSecond: bytesPerSecond, now: now) : nil
        windowEnd = now + Self.windowLength
        lastReaction = now
    }

    /// New limits; what was learned of the delay stays.
    mutating func limit(objectsPerSecond: Int, bytesPerSecond: Int, now: Duration) {
        objects = Allowance(perSecond: objectsPerSecond, now: now)
        bytes = bytesPerSecond > 0 ? Allowance(perSecond: bytesPerSecond, now: now) : nil
    }

    /// How long to wait before so many may be done. They count as done.
    mutating func take(objects count: Int, now: Duration) -> Duration {
        max(objects.take(count, part: part, now: now), bytes?.take(0, part: part, now: now) ?? .zero)
    }

    /// So many bytes were copied: what comes next waits for them.
    mutating func copied(bytes count: Int, now: Duration) { _ = bytes?.take(count, part: part, now: now) }

    /// A small request took so long; `isRefused`: the node was too busy for it.
    mutating func observe(delay: Duration, isRefused: Bool = false, now: Duration) {
        if now >= windowEnd {
            least = (least.present, nil)
            windowEnd = now + Self.windowLength
        }
        if !isRefused { least.present = min(least.present ?? delay, delay) }
        guard now - lastReaction >= Self.reactionLength else { return }
        let usual = min(least.former ?? delay, least.present ?? delay)
        if isRefused || delay > max(usual * 4, usual + Self.harmlessDelay) {
            part = max(part / 2, Self.slowestPart)
            lastReaction = now
        } else if part < 1 {
            part = min(part * 1.25, 1)
            lastReaction = now
        }
    }
}

/// So many per second, on average. What was not used is saved up for a tenth of a second: bursts are felt by clients.
private struct Allowance: Sendable {
    private static let burstSeconds = 0.1
    private let perSecond: Double
    private var free: Double
    private var last: Duration

    init(perSecond: Int, now: Duration) {
        self.perSecond = Double(max(perSecond, 1))
        free = self.perSecond * Self.burstSeconds
        last = now
    }

    mutating func take(_ count: Int, part: Double, now: Duration) -> Duration {
        let rate = perSecond * part
        free = min(rate * Self.burstSeconds, free + max((now - last).inSeconds, 0) * rate)
        last = max(now, last)
        free -= Double(count)
        return free >= 0 ? .zero : .seconds(-free / rate)
    }
}

extension Duration {
    var inSeconds: Double { Double(components.seconds) + Double(components.attoseconds) / 1e18 }
}
