/// The text format that Prometheus and its like read.
enum OpenMetrics {
    static let contentType = "application/openmetrics-text; version=1.0.0; charset=utf-8"

    /// `a="1",b="2"`, sorted by name.
    static func labelText(_ labels: [String: String]) -> String {
        labels.sorted { $0.key < $1.key }.map { "\($0.key)=\"\(escaped($0.value))\"" }.joined(separator: ",")
    }

    private static func escaped(_ text: String) -> String {
        var result = ""
        for character in text.unicodeScalars {
            switch character {
            case "\\": result += "\\\\"
            case "\"": result += "\\\""
            case "\n": result += "\\n"
            default: result.unicodeScalars.append(character)
            }
        }
        return result
    }

    /// Whole numbers without a fraction, so that large counters stay exact.
    static func number(_ value: Double) -> String {
        if value.rounded() == value, abs(value) < 9e15 { return "\(Int64(value))" }
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return "\(value)"
    }
}

extension MetricsRegistry {
    /// Everything in OpenMetrics text, families sorted by name.
    public func render() -> String {
        // Copied first: computed metrics may take locks of their own.
        let families = families.withLock { $0 }
        var text = ""
        for (name, family) in families.sorted(by: { $0.key < $1.key }) {
            text += "# TYPE \(name) \(family.kind.rawValue)\n"
            if name.hasSuffix("_seconds") { text += "# UNIT \(name) seconds\n" }
            if name.hasSuffix("_bytes") { text += "# UNIT \(name) bytes\n" }
            text += "# HELP \(name) \(family.help)\n"
            for labels in family.order {
                if let metric = family.series[labels] { append(metric, name, family.kind, labels, to: &text) }
            }
        }
        return text + "# EOF\n"
    }

    private func append(_ metric: Metric, _ name: String, _ kind: Kind, _ labels: String, to text: inout String) {
        let suffix = kind == .counter ? "_total" : ""
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        switch metric {
        case .counter(let counter): text += "\(name)\(suffix)\(braces) \(counter.value)\n"
        case .gauge(let gauge): text += "\(name)\(braces) \(OpenMetrics.number(gauge.value))\n"
        case .computed(let read): text += "\(name)\(suffix)\(braces) \(OpenMetrics.number(read()))\n"
        case .histogram(let histogram): append(histogram, name, labels, to: &text)
        }
    }

    private func append(_ histogram: Histogram, _ name: String, _ labels: String, to text: inout String) {
        let (buckets, sum) = histogram.snapshot
        let separator = labels.isEmpty ? "" : ","
        var total: UInt64 = 0
        for (index, count) in buckets.enumerated() {
            total += count
            let bound = index < histogram.bounds.count ? "\(histogram.bounds[index])" : "+Inf"
            text += "\(name)_bucket{\(labels)\(separator)le=\"\(bound)\"} \(total)\n"
        }
        let braces = labels.isEmpty ? "" : "{\(labels)}"
        text += "\(name)_count\(braces) \(total)\n\(name)_sum\(braces) \(OpenMetrics.number(sum))\n"
    }
}
