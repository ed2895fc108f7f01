import Foundation
import FoundationNetworking
import Logging
import NIOPosix
import Synchronization
import Testing

@testable import Observability

@Suite("Admin server")
struct AdminServerTests {
    private final class Switch: Sendable {
        let isOn = Mutex(true)
    }

    /// Runs the body with the address of a server.
    private func withServer(
        ready: Switch = Switch(), cluster: (@Sendable () async -> AdminServer.Health)? = nil,
        _ body: (String) async throws -> Void
    ) async throws {
        let metrics = MetricsRegistry()
        metrics.counter("hits", help: "").increment()
        let server = try await AdminServer.start(
            listen: "127.0.0.1:0", group: MultiThreadedEventLoopGroup.singleton, metrics: metrics,
            handlers: .init(readiness: { ["bus": true, "disk": ready.isOn.withLock { $0 }] }, cluster: cluster),
            logger: Logger(label: "test"))
        try await body("http://\(server.address)")
        await server.stop()
    }

    private func get(_ url: String, method: String = "GET") async throws -> (status: Int, body: String, type: String) {
        var request = URLRequest(url: URL(string: url)!)
        request.httpMethod = method
        let (data, response) = try await URLSession.shared.data(for: request)
        let http = response as! HTTPURLResponse
        return (
            http.statusCode, String(decoding: data, as: UTF8.self), http.value(forHTTPHeaderField: "content-type") ?? ""
        )
    }

    @Test("Live is always good, ready only when every check holds")
    func health() async throws {
        let ready = Switch()
        try await withServer(ready: ready) { address in
            #expect(try await get("\(address)/health/live").status == 200)
            #expect(try await get("\(address)/health/ready").status == 200)
            ready.isOn.withLock { $0 = false }
            let answer = try await get("\(address)/health/ready")
            #expect(answer.status == 503)
            #expect(answer.body == "{\"status\":\"unavailable\",\"checks\":{\"bus\":true,\"disk\":false}}\n")
            #expect(try await get("\(address)/health/live").status == 200)
        }
    }

    @Test("The cluster's health is served by those that know it")
    func cluster() async throws {
        try await withServer { address in
            let answer = try await get("\(address)/health/cluster")
            #expect(answer.status == 404)
        }
        try await withServer(cluster: { .init(isGood: false, json: "{\"a\":1}") }) { address in
            let answer = try await get("\(address)/health/cluster?maintenance=true")
            #expect(answer.status == 503)
            #expect(answer.body == "{\"a\":1}\n")
        }
    }

    @Test("Metrics have OpenMetrics' content type")
    func metrics() async throws {
        try await withServer { address in
            let answer = try await get("\(address)/metrics")
            #expect(answer.body.contains("martlet_hits_total 1\n"))
            #expect(answer.body.hasSuffix("# EOF\n"))
            #expect(answer.type == OpenMetrics.contentType)
        }
    }

    @Test("Nothing else is served, and nothing is changed")
    func others() async throws {
        try await withServer { address in
            let unknown = try await get("\(address)/")
            #expect(unknown.status == 404)
            let post = try await get("\(address)/metrics", method: "POST")
            #expect(post.status == 405)
        }
    }

    @Test("Addresses are host and port", arguments: ["127.0.0.1:80", "[::1]:80", "localhost:0"])
    func addresses(text: String) throws {
        let parsed = try ListenAddress.parse(text)
        #expect(!parsed.host.contains("["))
        #expect(throws: ListenAddress.Malformed.self) { try ListenAddress.parse(":80") }
        #expect(throws: ListenAddress.Malformed.self) { try ListenAddress.parse("host") }
        #expect(throws: ListenAddress.Malformed.self) { try ListenAddress.parse("host:70000") }
    }
}
