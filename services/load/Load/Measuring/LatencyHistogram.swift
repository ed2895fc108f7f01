/// Counts durations in buckets that grow with the value: exact below 64 ns, within 1.6 % above.
struct LatencyHistogram: Sendable {
    private static let subBits = 6
    private static let subCount = 1 << subBits

    private var counts: [UInt64] = []
    private(set) var count: UInt64 = 0
    private(set) var sum: UInt64 = 0
    private(set) var max: UInt64 = 0

    mutating func record(nanoseconds: Int64) {
        let value = UInt64(Swift.max(0, nanoseconds))
        let bucket = Self.bucket(of: value)
        if bucket >= counts.count { counts += [UInt64](repeating: 0, count: bucket + 1 - counts.count) }
        counts[bucket] += 1
        count += 1
        sum &+= value
        max = Swift.max(max, value)
    }

    mutating func merge(_ other: LatencyHistogram) {
        if other.counts.count > counts.count {
            counts += [UInt64](repeating: 0, count: other.counts.count - counts.count)
        }
        for (bucket, number) in other.counts.enumerated() { counts[bucket] += number }
        count += other.count
        sum &+= other.sum
        max = Swift.max(max, other.max)
    }

    /// The value that this share of the recorded ones does not exceed, in seconds.
    func quantile(_ share: Double) -> Double {
        guard count > 0 else { return 0 }
        let rank = UInt64((share * Double(count)).rounded(.up))
        var seen: UInt64 = 0
        for (bucket, number) in counts.enumerated() {
            seen += number
            if seen >= Swift.max(1, rank) { return Double(Swift.min(Self.highest(in: bucket), max)) / 1e9 }
        }
        return Double(max) / 1e9
    }

    var mean: Double { count == 0 ? 0 : Double(sum) / Double(count) / 1e9 }

    static func bucket(of value: UInt64) -> Int {
        guard value >= UInt64(subCount) else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount - subBits
        return (exponent << subBits) + Int(value >> UInt64(exponent))
    }

    /// The largest value of a bucket.
    static func highest(in bucket: Int) -> UInt64 {
        guard bucket >= subCount else { return UInt64(bucket) }
        let exponent = (bucket >> subBits) - 1
        let mantissa = UInt64(bucket - (exponent << subBits))
        // The last bucket ends at the largest number: its end wraps to zero.
        return ((mantissa + 1) << UInt64(exponent)) &- 1
    }
}
