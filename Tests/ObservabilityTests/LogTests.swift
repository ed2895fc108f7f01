import Foundation
import Logging
import Synchronization
import Testing

@testable import Observability

@Suite("Log lines", .serialized)
struct LogTests {
    private final class Lines: Sendable {
        let all = Mutex<[String]>([])
    }

    private func logger(_ format: LogFormat, _ lines: Lines) -> Logger {
        Logger(label: "martlet.test") { label in
            LineLogHandler(label: label, format: format, node: "storage-1") { line in
                lines.all.withLock { $0.append(line) }
            }
        }
    }

    @Test("A JSON line is one JSON object whatever the message contains")
    func json() throws {
        let lines = Lines()
        logger(.json, lines).with(requestID: "r-1").warning(
            "a \"quoted\"\nline \u{1}", metadata: ["size": "12", "time": "x", "list": ["a", "b"], "map": ["k": "v"]])
        let line = try #require(lines.all.withLock { $0.first })
        #expect(line.hasSuffix("}\n") && line.dropLast().allSatisfy { $0 != "\n" })
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["message"] as? String == "a \"quoted\"\nline \u{1}")
        #expect(object["level"] as? String == "warning")
        #expect(object["node"] as? String == "storage-1")
        #expect(object["request_id"] as? String == "r-1")
        #expect(object["list"] as? [String] == ["a", "b"])
        #expect(object["map"] as? [String: String] == ["k": "v"])
        #expect(object["time_"] as? String == "x")
        let time = try #require(object["time"] as? String)
        #expect(time.wholeMatch(of: /\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z/) != nil)
    }

    @Test("A text line stays one line")
    func text() throws {
        let lines = Lines()
        logger(.text, lines).error("two\nlines", metadata: ["key": "v"])
        let line = try #require(lines.all.withLock { $0.first })
        #expect(line.hasSuffix(" ERROR martlet.test: two\\nlines key=v\n"))
    }

    @Test("The level changes at run time for loggers that exist")
    func level() {
        let before = LogSetup.level
        defer { LogSetup.level = before }
        let lines = Lines()
        let logger = logger(.text, lines)
        LogSetup.level = .error
        logger.info("hidden")
        LogSetup.level = .debug
        logger.debug("shown")
        #expect(lines.all.withLock { $0.count } == 1)
    }
}
