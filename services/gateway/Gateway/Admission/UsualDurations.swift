/// What each kind of request usually takes. Kinds are few: operations.
struct UsualDurations: Sendable {
    /// Part of the way to a new sample.
    private static let weight = 1.0 / 64
    /// A single slow one moves the mean by no more than a sample of so many times the mean, and this.
    private static let outlierFactor = 2.0
    private static let outlierAllowance = 0.001
    /// No cluster is taken to be usually slower.
    private static let secondsMax = 2.0
    private static let kindsMax = 256

    /// In seconds.
    private var means: [String: Double] = [:]

    subscript(kind: String) -> Duration? { means[kind].map { .seconds($0) } }

    mutating func learn(_ kind: String, _ duration: Duration) {
        let seconds = min(duration / .seconds(1), Self.secondsMax)
        guard let mean = means[kind] else {
            if means.count < Self.kindsMax { means[kind] = seconds }
            return
        }
        let sample = min(seconds, mean * Self.outlierFactor + Self.outlierAllowance)
        means[kind] = mean + (sample - mean) * Self.weight
    }
}
