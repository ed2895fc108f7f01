import Observability
import Synchronization

/// What is counted about requests. Labels are bounded: operations, status classes and error codes.
final class FrontMetrics: Sendable {
    private struct Key: Hashable {
        var operation: String
        var statusClass: Int
    }

    private let registry: MetricsRegistry
    private let durations = Mutex<[Key: Histogram]>([:])
    private let failures = Mutex<[String: Counter]>([:])
    let connections: Gauge
    let inFlight: Gauge
    let connectionsRefused: Counter
    let requestsRefused: Counter
    /// How much longer than usual requests took.
    let admissionDelay: Histogram
    let bytesReceived: Counter
    let bytesSent: Counter

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        connections = registry.gauge("martlet_gateway_connections", help: "Open client connections.")
        inFlight = registry.gauge("martlet_requests_in_flight", help: "Requests being carried out.")
        connectionsRefused = registry.counter(
            "martlet_gateway_connections_refused", help: "Connections beyond the limit.")
        requestsRefused = registry.counter(
            "martlet_requests_refused", help: "Requests beyond the limits, told to slow down.")
        admissionDelay = registry.histogram(
            "martlet_admission_delay_seconds", help: "How much longer than usual requests took.")
        bytesReceived = registry.counter("martlet_request_body_bytes", help: "Bytes of request bodies received.")
        bytesSent = registry.counter("martlet_response_body_bytes", help: "Bytes of response bodies sent.")
    }

    /// Shows where the limit of an admission lies.
    func observe(_ admission: RequestAdmission) {
        registry.gauge("martlet_admission_limit", help: "Requests that may be worked on at a time now.") {
            [weak admission] in Double(admission?.present ?? 0)
        }
        registry.gauge(
            "martlet_requests_in_service",
            help: "Requests that are worked on, without those that wait for their client."
        ) { [weak admission] in Double(admission?.inService ?? 0) }
    }

    func finished(_ operation: String, status: Int, after duration: Duration) {
        let key = Key(operation: operation, statusClass: status / 100)
        let histogram = durations.withLock { durations in
            if let known = durations[key] { return known }
            let made = registry.histogram(
                "martlet_request_duration_seconds", help: "Time from a request's head to the end of its answer.",
                labels: ["operation": operation, "status": "\(key.statusClass)xx"])
            durations[key] = made
            return made
        }
        histogram.record(duration)
    }

    func authenticationFailed(_ reason: String) {
        let counter = failures.withLock { failures in
            if let known = failures[reason] { return known }
            let made = registry.counter(
                "martlet_auth_failures", help: "Requests whose credentials were refused.",
                labels: ["reason": reason])
            failures[reason] = made
            return made
        }
        counter.increment()
    }
}
