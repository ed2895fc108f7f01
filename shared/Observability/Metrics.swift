import Synchronization

/// A number that only grows. Incrementing is one relaxed atomic addition.
public final class Counter: Sendable {
    private let count = Atomic<UInt64>(0)

    public init() {}
    public func increment(by amount: Int = 1) {
        count.wrappingAdd(UInt64(max(0, amount)), ordering: .relaxed)
    }
    public var value: UInt64 { count.load(ordering: .relaxed) }
}

/// A number that goes up and down.
public final class Gauge: Sendable {
    private let bits = Atomic<UInt64>(0)

    public init() {}
    public func set(_ value: Double) { bits.store(value.bitPattern, ordering: .relaxed) }
    public func set(_ value: Int) { set(Double(value)) }

    public func increment(by amount: Double = 1) {
        var old = bits.load(ordering: .relaxed)
        while true {
            let new = (Double(bitPattern: old) + amount).bitPattern
            let (exchanged, original) = bits.weakCompareExchange(expected: old, desired: new, ordering: .relaxed)
            if exchanged { return }
            old = original
        }
    }
    public func decrement(by amount: Double = 1) { increment(by: -amount) }
    public var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }
}

/// How often something took how long: counts in fixed buckets, with sum.
public final class Histogram: Sendable {
    /// Upper bounds in seconds: 50 µs to 30 s, about 2.2 steps a factor of ten.
    public static let latencyBounds: [Double] = [
        0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
        30,
    ]

    let bounds: [Double]
    /// One for each bound and a last one for everything above; then the sum in nanoseconds. Never moved, never resized.
    private nonisolated(unsafe) let cells: UnsafeMutablePointer<Atomic<UInt64>>

    public init(bounds: [Double] = Histogram.latencyBounds) {
        self.bounds = bounds
        cells = .allocate(capacity: bounds.count + 2)
        for index in 0..<bounds.count + 2 { (cells + index).initialize(to: Atomic(0)) }
    }

    deinit {
        cells.deinitialize(count: bounds.count + 2)
        cells.deallocate()
    }

    public func record(seconds: Double) {
        var bucket = 0
        while bucket < bounds.count, seconds > bounds[bucket] { bucket += 1 }
        cells[bucket].wrappingAdd(1, ordering: .relaxed)
        cells[bounds.count + 1].wrappingAdd(UInt64(max(0, min(seconds, 1e9)) * 1e9), ordering: .relaxed)
    }

    public func record(_ duration: Duration) {
        let (seconds, attoseconds) = duration.components
        record(seconds: Double(seconds) + Double(attoseconds) * 1e-18)
    }

    /// Times since `start`.
    public func record(since start: ContinuousClock.Instant) { record(start.duration(to: .now)) }

    /// Counts of each bucket (not cumulated), and the sum of seconds.
    public var snapshot: (buckets: [UInt64], sum: Double) {
        let counts = (0...bounds.count).map { cells[$0].load(ordering: .relaxed) }
        return (counts, Double(cells[bounds.count + 1].load(ordering: .relaxed)) / 1e9)
    }
}
