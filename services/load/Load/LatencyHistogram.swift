/// Latencies in buckets that are each 1/32 wider than the one before: every quantile is right within about 3 %, in
/// constant memory (after HdrHistogram).
struct LatencyHistogram: Sendable {
    private static let subBuckets = 32
    private var counts = [UInt64](repeating: 0, count: 60 * Self.subBuckets)
    private(set) var count: UInt64 = 0
    private(set) var maximumNanoseconds: UInt64 = 0

    mutating func record(nanoseconds: UInt64) {
        counts[Self.bucket(of: nanoseconds)] += 1
        count += 1
        maximumNanoseconds = max(maximumNanoseconds, nanoseconds)
    }

    mutating func merge(_ other: LatencyHistogram) {
        for index in counts.indices { counts[index] += other.counts[index] }
        count += other.count
        maximumNanoseconds = max(maximumNanoseconds, other.maximumNanoseconds)
    }

    /// The latency in milliseconds that this share of the requests did not exceed; 0 without requests.
    func milliseconds(atQuantile quantile: Double) -> Double {
        let wanted = UInt64((Double(count) * quantile).rounded(.up))
        var seen: UInt64 = 0
        for (index, bucket) in counts.enumerated() where bucket > 0 {
            seen += bucket
            if seen >= wanted { return Double(min(Self.upperBound(of: index), maximumNanoseconds)) / 1e6 }
        }
        return 0
    }

    private static func bucket(of value: UInt64) -> Int {
        guard value >= UInt64(subBuckets) else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount - 5
        return exponent * subBuckets + Int(value >> UInt64(exponent))
    }

    private static func upperBound(of index: Int) -> UInt64 {
        guard index >= 2 * subBuckets else { return UInt64(index) }
        let exponent = index / subBuckets - 1
        return (UInt64(index - exponent * subBuckets) + 1) << UInt64(exponent) - 1
    }
}
