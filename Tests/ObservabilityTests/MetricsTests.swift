import Dispatch
import Testing

@testable import Observability

@Suite("Metrics")
struct MetricsTests {
    @Test("The text is OpenMetrics: families once, counters end in _total, EOF last")
    func rendering() {
        let metrics = MetricsRegistry()
        metrics.counter("requests_total", help: "All.", labels: ["operation": "get", "code": "200"]).increment(by: 3)
        metrics.counter("requests_total", help: "All.", labels: ["operation": "put"]).increment()
        metrics.gauge("martlet_queue_length", help: "Now.").set(2.5)
        metrics.gauge("process_open_fds", help: "Open.") { 7 }
        let histogram = metrics.histogram("wait_seconds", help: "Waiting.", bounds: [0.1, 1])
        for seconds in [0.05, 0.5, 0.5, 30] { histogram.record(seconds: seconds) }
        #expect(
            metrics.render() == """
                # TYPE martlet_queue_length gauge
                # HELP martlet_queue_length Now.
                martlet_queue_length 2.5
                # TYPE martlet_requests counter
                # HELP martlet_requests All.
                martlet_requests_total{code="200",operation="get"} 3
                martlet_requests_total{operation="put"} 1
                # TYPE martlet_wait_seconds histogram
                # UNIT martlet_wait_seconds seconds
                # HELP martlet_wait_seconds Waiting.
                martlet_wait_seconds_bucket{le="0.1"} 1
                martlet_wait_seconds_bucket{le="1.0"} 3
                martlet_wait_seconds_bucket{le="+Inf"} 4
                martlet_wait_seconds_count 4
                martlet_wait_seconds_sum 31.05
                # TYPE process_open_fds gauge
                # HELP process_open_fds Open.
                process_open_fds 7
                # EOF

                """)
    }

    @Test("The same name and labels give the same metric, from any thread")
    func identity() {
        let metrics = MetricsRegistry()
        DispatchQueue.concurrentPerform(iterations: 8) { _ in
            for _ in 0..<1000 { metrics.counter("hits", help: "", labels: ["a": "1"]).increment() }
        }
        #expect(metrics.counter("hits", help: "", labels: ["a": "1"]).value == 8000)
    }

    @Test("Series beyond the limit are counted together")
    func boundedLabels() {
        let metrics = MetricsRegistry()
        for index in 0..<MetricsRegistry.seriesMax + 5 {
            metrics.counter("keys", help: "", labels: ["key": "\(index)"]).increment()
        }
        #expect(metrics.counter("keys", help: "", labels: ["key": "other"]).value == 5)
        #expect(metrics.render().split(separator: "\n").count { $0.hasPrefix("martlet_keys_total") } <= 1001)
    }

    @Test("Label values are escaped")
    func escaping() {
        let metrics = MetricsRegistry()
        metrics.gauge("g", help: "", labels: ["path": "a\"b\\c\nd"]).set(1)
        #expect(metrics.render().contains(#"martlet_g{path="a\"b\\c\nd"} 1"#))
    }

    @Test("A gauge goes down again")
    func gauge() {
        let gauge = Gauge()
        gauge.increment(by: 3)
        gauge.decrement()
        #expect(gauge.value == 2)
    }

    @Test("The process knows its CPU time, memory, descriptors and build")
    func process() throws {
        let metrics = MetricsRegistry()
        ProcessMetrics.register(in: metrics, role: "storage", name: "storage-1")
        let text = metrics.render()
        for name in ["process_cpu_seconds_total", "process_resident_memory_bytes", "process_open_fds"] {
            let line = try #require(text.split(separator: "\n").first { $0.hasPrefix("\(name) ") })
            #expect(Double(line.split(separator: " ")[1]) ?? 0 > 0)
        }
        #expect(text.contains(#"martlet_build_info{node="storage-1",role="storage",version="#))
    }
}
