import Foundation

/// Seconds, one for each request. Beyond a million a random sample of them.
struct Latencies: Sendable {
    private static let sampleSize = 1_000_000
    private var sample: [Float] = []
    private(set) var count = 0

    mutating func add(_ seconds: Double) {
        count += 1
        if sample.count < Self.sampleSize {
            sample.append(Float(seconds))
        } else {
            let index = Int.random(in: 0..<count)
            if index < Self.sampleSize { sample[index] = Float(seconds) }
        }
    }

    /// Of 0.99: what 99 % did not exceed.
    func percentile(_ share: Double) -> Double {
        guard !sample.isEmpty else { return 0 }
        let sorted = sample.sorted()
        return Double(sorted[min(sorted.count - 1, Int(Double(sorted.count) * share))])
    }

    /// Milliseconds.
    var text: String {
        String(
            format: "p50 %.2f ms, p99 %.2f ms, p99.9 %.2f ms", percentile(0.5) * 1e3, percentile(0.99) * 1e3,
            percentile(0.999) * 1e3)
    }
}

/// A folder that is removed afterwards.
struct ScratchFolder {
    let path: String

    init(below directory: String) throws {
        path = directory + "/martlet-benchmark-" + UUID().uuidString
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    func remove() { try? FileManager.default.removeItem(atPath: path) }
}

/// A line of the result, at once.
func show(_ line: String) { FileHandle.standardOutput.write(Data((line + "\n").utf8)) }

func measured<R>(_ body: () throws -> R) rethrows -> (result: R, seconds: Double) {
    let begin = ContinuousClock.now
    let result = try body()
    return (result, (ContinuousClock.now - begin) / .seconds(1))
}
