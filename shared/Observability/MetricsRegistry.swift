import Model
import Synchronization

/// All metrics of a process by name and labels. Ask once and keep what it returns: asking takes a lock, counting does not.
///
/// Names get the prefix `martlet_` unless they have it or are one of Prometheus's `process_` names. Labels must be
/// bounded (never a key, never a request id): a family holds 1,000 series at most, whatever comes later is counted
/// together with every label set to `other`.
public final class MetricsRegistry: Sendable {
    static let seriesMax = 1000

    enum Kind: String, Sendable { case counter, gauge, histogram }

    enum Metric: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case histogram(Histogram)
        case computed(@Sendable () -> Double)
    }

    struct Family: Sendable {
        var kind: Kind
        var help: String
        var series: [String: Metric] = [:]
        /// In the order of registration.
        var order: [String] = []
    }

    let families = Mutex<[String: Family]>([:])

    public init() {}

    public func counter(_ name: String, help: String, labels: [String: String] = [:]) -> Counter {
        let metric = register(name, .counter, help, labels) { .counter(Counter()) }
        guard case .counter(let counter) = metric else { return Counter() }
        return counter
    }

    public func gauge(_ name: String, help: String, labels: [String: String] = [:]) -> Gauge {
        let metric = register(name, .gauge, help, labels) { .gauge(Gauge()) }
        guard case .gauge(let gauge) = metric else { return Gauge() }
        return gauge
    }

    /// Seconds, in fixed buckets.
    public func histogram(
        _ name: String, help: String, labels: [String: String] = [:], bounds: [Double] = Histogram.latencyBounds
    ) -> Histogram {
        let metric = register(name, .histogram, help, labels) { .histogram(Histogram(bounds: bounds)) }
        guard case .histogram(let histogram) = metric else { return Histogram(bounds: bounds) }
        return histogram
    }

    /// A gauge that is read when it is asked for. `read` must be quick and not block.
    public func gauge(
        _ name: String, help: String, labels: [String: String] = [:], read: @escaping @Sendable () -> Double
    ) {
        _ = register(name, .gauge, help, labels) { .computed(read) }
    }

    /// A counter that is read when it is asked for.
    public func counter(
        _ name: String, help: String, labels: [String: String] = [:], read: @escaping @Sendable () -> Double
    ) {
        _ = register(name, .counter, help, labels) { .computed(read) }
    }

    private func register(
        _ name: String, _ kind: Kind, _ help: String, _ labels: [String: String], _ make: () -> Metric
    ) -> Metric {
        let name = Self.familyName(name, kind)
        return families.withLock { families in
            var family = families[name] ?? Family(kind: kind, help: help)
            guard family.kind == kind else {
                assertionFailure("\(name) is registered as a \(family.kind.rawValue)")
                return make()
            }
            var key = OpenMetrics.labelText(labels)
            if family.series[key] == nil, family.order.count >= Self.seriesMax {
                key = OpenMetrics.labelText(labels.mapValues { _ in "other" })
            }
            if let metric = family.series[key] { return metric }
            let metric = make()
            family.series[key] = metric
            family.order.append(key)
            families[name] = family
            return metric
        }
    }

    static func familyName(_ name: String, _ kind: Kind) -> String {
        var name = name
        if kind == .counter, name.hasSuffix("_total") { name.removeLast("_total".count) }
        return name.hasPrefix("martlet_") || name.hasPrefix("process_") ? name : "martlet_" + name
    }
}
