/// How much of the work the bus thread does itself.
///
/// To hand a request to a worker costs two wake-ups, more than most requests cost. But there is one bus thread: when much
/// comes at once it only hands over, and all cores of the machine work; the workers are awake then anyway.
struct BusThreadShare {
    private static let window = Duration.milliseconds(1)
    private static let requestsPerWindow = 16

    private var begin = ContinuousClock.Instant.now
    private var served = 0

    /// Whether the bus thread serves a request that came now.
    mutating func take(at now: ContinuousClock.Instant) -> Bool {
        if now - begin >= Self.window {
            begin = now
            served = 0
        }
        served += 1
        return served <= Self.requestsPerWindow
    }
}
