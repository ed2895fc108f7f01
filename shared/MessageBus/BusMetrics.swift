import Observability
import Wire

/// What the bus counts, registered when a type is first seen. Belongs to the bus thread.
final class BusMetrics {
    enum Direction: Int, CaseIterable { case sent, received, published, heard }

    private struct PerType {
        var messages: [Counter]
        var duration: Histogram
        var timeouts: Counter
    }

    private let registry: MetricsRegistry
    private var perType: [PerType?] = Array(repeating: nil, count: 128)
    let inFlight: Gauge
    let rejectedHandshakes: Counter
    let malformed: Counter
    let expired: Counter

    init(_ registry: MetricsRegistry) {
        self.registry = registry
        inFlight = registry.gauge(
            "martlet_messages_in_flight", help: "Requests of this process that have no answer yet.")
        rejectedHandshakes = registry.counter(
            "martlet_handshakes_rejected_total", help: "Connections refused because of their key.")
        malformed = registry.counter("martlet_messages_malformed_total", help: "Messages that could not be read.")
        expired = registry.counter(
            "martlet_messages_expired_total", help: "Requests and answers dropped because their deadline had passed.")
    }

    func count(_ type: MessageType, _ direction: Direction) {
        forType(type)?.messages[direction.rawValue].increment()
    }

    func answered(_ type: MessageType, nanoseconds: UInt64) {
        forType(type)?.duration.record(seconds: Double(nanoseconds) / 1e9)
    }

    func timedOut(_ type: MessageType) { forType(type)?.timeouts.increment() }

    /// nil for numbers that no type has: a peer cannot make us keep a series for each number it invents.
    private func forType(_ type: MessageType) -> PerType? {
        let index = Int(type.rawValue)
        guard perType.indices.contains(index) else { return nil }
        if perType[index] == nil { perType[index] = make(type) }
        return perType[index]
    }

    private func make(_ type: MessageType) -> PerType {
        let name = "\(type)"
        return PerType(
            messages: Direction.allCases.map {
                registry.counter(
                    "martlet_messages_total", help: "Requests and publications of the bus.",
                    labels: ["type": name, "direction": "\($0)"])
            },
            duration: registry.histogram(
                "martlet_message_duration_seconds", help: "From sending a request to its answer.",
                labels: ["type": name]),
            timeouts: registry.counter(
                "martlet_message_timeouts_total", help: "Requests without an answer in time.", labels: ["type": name]))
    }
}
