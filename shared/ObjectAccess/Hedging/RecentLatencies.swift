import Foundation

/// How long answers took lately: a distribution in steps of a quarter of an octave, which forgets.
struct RecentLatencies: Sendable {
    /// The upper end of the first step. What is slower than the last step counts there: beyond a minute.
    private static let shortest = 50e-6
    private static let stepsPerOctave = 4.0
    private static let steps = 84
    /// When so many are counted, half of them are forgotten.
    private static let countMax = 2000

    private var counts = [UInt32](repeating: 0, count: steps)
    private(set) var count = 0

    mutating func record(_ latency: Duration) {
        let octaves = log2(max(latency / .seconds(1), Self.shortest) / Self.shortest)
        counts[min(Int((octaves * Self.stepsPerOctave).rounded(.up)), Self.steps - 1)] += 1
        count += 1
        guard count >= Self.countMax else { return }
        for index in counts.indices { counts[index] /= 2 }
        count = counts.reduce(0) { $0 + Int($1) }
    }

    /// At most this part of the answers took longer. nil: there were none.
    func quantile(_ part: Double) -> Duration? {
        guard count > 0 else { return nil }
        var left = Int((Double(count) * part).rounded(.up))
        for (index, step) in counts.enumerated() {
            left -= Int(step)
            if left <= 0 { return Self.end(of: index) }
        }
        return Self.end(of: Self.steps - 1)
    }

    private static func end(of step: Int) -> Duration {
        .seconds(shortest * exp2(Double(step) / stepsPerOctave))
    }
}
