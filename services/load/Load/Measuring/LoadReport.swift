import Foundation

/// The result of a run, for people and as one line of JSON with stable keys.
struct LoadReport: Encodable {
    struct Latency: Encodable {
        var mean, p50, p95, p99, p999, max: Double

        init(_ histogram: LatencyHistogram) {
            mean = histogram.mean
            p50 = histogram.quantile(0.5)
            p95 = histogram.quantile(0.95)
            p99 = histogram.quantile(0.99)
            p999 = histogram.quantile(0.999)
            max = histogram.quantile(1)
        }
    }

    struct Operation: Encodable {
        var requests: UInt64
        var requestsPerSecond: Double
        var bytes: UInt64
        var bytesPerSecond: Double
        var retries, errors, wrongBytes, notFound: Int
        var latencySeconds: Latency

        init(_ statistics: OperationStatistics, seconds: Double) {
            requests = statistics.latencies.count
            requestsPerSecond = Double(requests) / seconds
            bytes = statistics.bytes
            bytesPerSecond = Double(bytes) / seconds
            retries = statistics.retries
            errors = statistics.errors
            wrongBytes = statistics.wrong
            notFound = statistics.notFound
            latencySeconds = Latency(statistics.latencies)
        }
    }

    var seconds: Double
    var concurrency: Int
    // All operations together.
    var requests: UInt64
    var requestsPerSecond: Double
    var retries, errors, wrongBytes: Int
    var total: Operation
    var operations: [String: Operation]
    var processes: [ProcessUsage.Entry]
    /// Of the given processes.
    var cpuMillisecondsPerRequest: Double?
    var faults: [String]

    init(_ statistics: LoadStatistics, plan: LoadPlan, seconds: Double, processes: [ProcessUsage.Entry]) {
        self.seconds = seconds
        concurrency = plan.concurrency
        total = Operation(statistics.total, seconds: seconds)
        (requests, requestsPerSecond) = (total.requests, total.requestsPerSecond)
        (retries, errors, wrongBytes) = (total.retries, total.errors, total.wrongBytes)
        operations = Dictionary(
            uniqueKeysWithValues: statistics.operations.map { ($0.key.rawValue, Operation($0.value, seconds: seconds)) }
        )
        self.processes = processes
        if !processes.isEmpty, requests > 0 {
            cpuMillisecondsPerRequest = processes.reduce(0) { $0 + $1.cpuSeconds } * 1000 / Double(requests)
        }
        faults = statistics.faults
    }

    /// Nothing failed and nothing was wrong.
    var isGood: Bool { errors == 0 && wrongBytes == 0 }

    func json() -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return (try? encoder.encode(self)).map { String(decoding: $0, as: UTF8.self) } ?? "{}"
    }

    func text() -> String {
        var lines = [
            Self.row("", ["count", "per s", "MB/s", "p50 ms", "p95", "p99", "p99.9", "max", "retried", "failed"])
        ]
        let rows = operations.sorted { $0.key < $1.key } + (operations.count > 1 ? [("total", total)] : [])
        for (name, row) in rows {
            let latency = row.latencySeconds
            let times = [latency.p50, latency.p95, latency.p99, latency.p999, latency.max]
            lines.append(
                Self.row(
                    name,
                    ["\(row.requests)", Self.number(row.requestsPerSecond), Self.number(row.bytesPerSecond / 1e6)]
                        + times.map { Self.number($0 * 1000) } + ["\(row.retries)", "\(row.errors + row.wrongBytes)"]))
        }
        lines.append("\(Self.number(seconds)) s, \(concurrency) at a time")
        if total.notFound > 0 { lines.append("\(total.notFound) reads found no such key") }
        if wrongBytes > 0 { lines.append("WRONG CONTENT: \(wrongBytes)") }
        if let cpu = cpuMillisecondsPerRequest {
            lines.append("CPU of the servers: \(Self.number(cpu)) ms per request")
        }
        for process in processes {
            let memory = "\(process.residentBytes >> 20) MiB, at most \(process.residentPeakBytes >> 20) MiB"
            lines.append(
                "  \(process.name.isEmpty ? "pid" : process.name) \(process.pid): \(Self.number(process.cpuSeconds)) s, \(memory)"
            )
        }
        return (lines + faults.map { "fault: \($0)" }).joined(separator: "\n")
    }

    private static func row(_ name: String, _ cells: [String]) -> String {
        name.padded(to: -7) + cells.map { $0.padded(to: 10) }.joined()
    }

    /// Three digits that matter.
    static func number(_ value: Double) -> String {
        let decimals = value >= 100 ? 0 : value >= 10 ? 1 : value >= 1 ? 2 : 3
        return String(format: "%.\(decimals)f", value)
    }
}

extension String {
    /// To the right of a column of this width; a negative width: to the left.
    fileprivate func padded(to width: Int) -> String {
        let space = String(repeating: " ", count: Swift.max(0, abs(width) - count))
        return width < 0 ? self + space : space + self
    }
}
