import Foundation

/// Counts and latencies of one run.
struct LoadTally: Sendable {
    var latencies: [LoadOperation: LatencyHistogram] = [:]
    var bytesSent: UInt64 = 0
    var bytesReceived: UInt64 = 0
    /// Requests sent again after an answer or failure that permits it.
    var retries = 0
    /// Requests that failed for good.
    var errors = 0
    var wrongBytes = 0
    var firstErrors: [String] = []

    var requests: UInt64 { latencies.values.reduce(0) { $0 + $1.count } }

    mutating func fail(_ text: String) {
        errors += 1
        if firstErrors.count < 5 { firstErrors.append(text) }
    }

    mutating func merge(_ other: LoadTally) {
        latencies.merge(other.latencies) { mine, theirs in
            var sum = mine
            sum.merge(theirs)
            return sum
        }
        bytesSent += other.bytesSent
        bytesReceived += other.bytesReceived
        retries += other.retries
        errors += other.errors
        wrongBytes += other.wrongBytes
        firstErrors = Array((firstErrors + other.firstErrors).prefix(5))
    }
}

/// The result of a run, printed as text or with `--json` as one object with these keys.
struct LoadReport: Codable, Sendable, Equatable {
    struct Operation: Codable, Sendable, Equatable {
        var requests: UInt64
        var p50_ms, p95_ms, p99_ms, p999_ms, max_ms: Double
    }
    var seconds: Double
    var requests: UInt64
    var requests_per_second: Double
    var sent_bytes: UInt64
    var received_bytes: UInt64
    var retries: Int
    var errors: Int
    var wrong_bytes: Int
    var first_errors: [String]
    var operations: [String: Operation]
    /// Of the processes given by `--pids`; absent without.
    var cpu_seconds: Double?
    var cpu_ms_per_request: Double?
    var resident_bytes: Int?

    init(_ tally: LoadTally, seconds: Double, before: ProcessUsage?, after: ProcessUsage?) {
        self.seconds = seconds
        requests = tally.requests
        requests_per_second = seconds > 0 ? Double(tally.requests) / seconds : 0
        sent_bytes = tally.bytesSent
        received_bytes = tally.bytesReceived
        retries = tally.retries
        errors = tally.errors
        wrong_bytes = tally.wrongBytes
        first_errors = tally.firstErrors
        operations = Dictionary(
            uniqueKeysWithValues: tally.latencies.map { operation, histogram in
                let at = { (quantile: Double) in histogram.milliseconds(atQuantile: quantile) }
                return (
                    operation.rawValue,
                    Operation(
                        requests: histogram.count, p50_ms: at(0.5), p95_ms: at(0.95), p99_ms: at(0.99),
                        p999_ms: at(0.999), max_ms: Double(histogram.maximumNanoseconds) / 1e6)
                )
            })
        if let before, let after {
            let cpu = after.cpuSeconds - before.cpuSeconds
            cpu_seconds = cpu
            cpu_ms_per_request = tally.requests > 0 ? cpu * 1000 / Double(tally.requests) : nil
            resident_bytes = after.residentBytes
        }
    }

    var json: String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys]
        return String(decoding: (try? encoder.encode(self)) ?? Data(), as: UTF8.self)
    }

    var text: String {
        func number(_ value: Double, _ digits: Int = 2) -> String { String(format: "%.\(digits)f", value) }
        var lines = [
            "\(requests) requests in \(number(seconds)) s: \(number(requests_per_second, 0))/s, "
                + "\(number(Double(sent_bytes) / seconds / 1e6)) MB/s up, "
                + "\(number(Double(received_bytes) / seconds / 1e6)) MB/s down"
        ]
        for (name, operation) in operations.sorted(by: { $0.key < $1.key }) {
            lines.append(
                "  \(name.padding(toLength: 7, withPad: " ", startingAt: 0)) \(operation.requests) requests, ms: "
                    + "p50 \(number(operation.p50_ms)), p95 \(number(operation.p95_ms)), "
                    + "p99 \(number(operation.p99_ms)), p99.9 \(number(operation.p999_ms)), "
                    + "max \(number(operation.max_ms))")
        }
        if let cpu_ms_per_request, let resident_bytes {
            lines.append(
                "  processes: \(number(cpu_ms_per_request, 3)) ms CPU a request, \(resident_bytes >> 20) MiB resident")
        }
        lines.append("  \(errors) errors, \(wrong_bytes) with wrong bytes, \(retries) retries")
        return (lines + first_errors.map { "  error: \($0)" }).joined(separator: "\n")
    }
}
