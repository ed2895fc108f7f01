/// When each segment of a disk was last read as a whole, and where the present round stands. A pure value, kept in a
/// file: a restart goes on where it was.
///
/// A round reads every segment that was sealed when it began, the one that was read longest ago first.
struct ScrubHistory: Codable, Sendable, Equatable {
    static let formatVersion = 1

    struct Segment: Codable, Sendable, Equatable {
        var number: UInt32
        /// Wall clock, milliseconds.
        var scrubbed: Int64
    }

    private(set) var version = formatVersion
    /// Wall clock, milliseconds; 0: never.
    private(set) var roundStarted: Int64 = 0
    /// Of the last round that was finished.
    private(set) var roundFinished: Int64 = 0
    /// The highest segment of the round; later ones belong to the next.
    private(set) var roundLast: UInt32 = 0
    private(set) var isRunning = false
    /// By the administrator; nothing is read until it is resumed.
    var isSuspended = false
    private(set) var segments: [Segment] = []

    /// When the next round is due. nil: only on demand.
    func due(every interval: Int64) -> Int64? { interval > 0 ? max(roundStarted + interval, roundFinished) : nil }

    /// `sealed`: the segments that can be read now.
    mutating func begin(_ sealed: [UInt32], now: Int64) {
        // Two rounds never begin at one moment: what was read in the former is read again.
        roundStarted = max(now, roundStarted + 1)
        roundLast = sealed.max() ?? 0
        isRunning = true
        retain(sealed)
    }

    /// Segments of the round that are still to be read, in their order.
    func left(of sealed: [UInt32]) -> [UInt32] {
        guard isRunning else { return [] }
        let times = Dictionary(segments.map { ($0.number, $0.scrubbed) }) { max($0, $1) }
        return sealed.filter { $0 <= roundLast && (times[$0] ?? 0) < roundStarted }
            .sorted { (times[$0] ?? 0, $0) < (times[$1] ?? 0, $1) }
    }

    mutating func scrubbed(_ segment: UInt32, now: Int64) {
        segments.removeAll { $0.number == segment }
        segments.append(Segment(number: segment, scrubbed: max(now, roundStarted)))
    }

    /// Nothing is left.
    mutating func finish(_ sealed: [UInt32], now: Int64) {
        isRunning = false
        roundFinished = max(now, roundStarted)
        retain(sealed)
    }

    /// Forgets segments that are gone.
    private mutating func retain(_ sealed: [UInt32]) {
        let known = Set(sealed)
        segments.removeAll { !known.contains($0.number) }
    }
}
