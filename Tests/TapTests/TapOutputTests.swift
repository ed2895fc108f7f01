import Foundation
import TapRecordings
import Testing
import Wire

@testable import Tap

@Suite struct TapOutputTests {
    final class Lines {
        var all: [String] = []
    }

    static func output(
        _ lines: Lines, filter: TapFilter = TapFilter(), json: Bool = false, limit: Int? = nil,
        recording: RecordingWriter? = nil
    ) -> TapOutput {
        TapOutput(filter: filter, json: json, limit: limit, recording: recording) { lines.all.append($0) }
    }

    @Test("a line tells when, who, whom, what, how much, how long, with which result, about which key")
    func text() {
        let line = TapLine.text(TapFilterTests.record { $0.status = .diskFull })
        for part in [
            "22:13:20.000042", "gateway-1", "←", "storage-2", "stage", "120+4096", "1.042 ms", "diskFull", "photos/a",
        ] {
            #expect(line.contains(part), "\(line)")
        }
    }

    @Test("bytes in a key that would disturb a terminal are escaped")
    func control() {
        let line = TapLine.text(TapFilterTests.record { $0.key = Array("a\u{1b}[2J\nb".utf8) })
        #expect(line.contains("a\\u{1b}[2J\\u{a}b"))
        #expect(!line.contains("\n"))
    }

    @Test("bytes that are no text are shown as hex digits")
    func bytes() {
        #expect(TapLine.visible([0x61, 0xff, 0xe9, 0x8d, 0xb5, 0xe9, 0x8d]) == "a\\xff鍵\\xe9\\x8d")
        #expect(TapLine.visible([]).isEmpty)
    }

    @Test("JSON has stable keys; latency and result belong to answers")
    func json() throws {
        func object(_ record: TapRecord) throws -> [String: Any] {
            try #require(try JSONSerialization.jsonObject(with: Data(TapLine.json(record).utf8)) as? [String: Any])
        }
        let reply = try object(TapFilterTests.record())
        #expect(
            Set(reply.keys) == [
                "time", "process", "direction", "type", "peer", "correlation", "request_id", "bucket", "key",
                "body_bytes", "payload_bytes", "latency_ms", "result",
            ])
        #expect(reply["latency_ms"] as? Double == 1.042)
        #expect(reply["result"] as? String == "ok")
        #expect(reply["time"] as? String == "2023-11-14T22:13:20.000042Z")
        let request = try object(TapFilterTests.record { $0.direction = .tapRequest })
        #expect(request["latency_ms"] == nil && request["result"] == nil)
    }

    @Test("after the last line that was asked for, the tap is told to end")
    func limit() throws {
        let lines = Lines()
        let output = Self.output(lines, filter: TapFilter(types: [.stage]), limit: 2)
        #expect(try output.show(TapFilterTests.record()))
        #expect(try output.show(TapFilterTests.record { $0.type = .commit }))
        #expect(try !output.show(TapFilterTests.record()))
        #expect(try !output.show(TapFilterTests.record()))
        #expect(lines.all.count == 2)
    }

    @Test("a recording holds what was shown and reads back equal; a torn end is the end")
    func recording() throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID()).tap").path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let writer = try RecordingWriter(path: path)
        let output = Self.output(Lines(), filter: TapFilter(types: [.stage]), recording: writer)
        let records = (0..<3).map { index in TapFilterTests.record { $0.correlationId = UInt64(index) } }
        for record in records { _ = try output.show(record) }
        _ = try output.show(TapFilterTests.record { $0.type = .commit })
        try output.close()

        func readAll() throws -> [TapRecord] {
            var reader = try RecordingReader(path: path)
            var all: [TapRecord] = []
            while let record = try reader.next() { all.append(record) }
            return all
        }
        #expect(try readAll() == records)
        let whole = try Data(contentsOf: URL(fileURLWithPath: path))
        try whole.dropLast(3).write(to: URL(fileURLWithPath: path))
        #expect(try readAll() == Array(records.dropLast()))
        try Data("something else".utf8).write(to: URL(fileURLWithPath: path))
        #expect(throws: RecordingError.self) { try readAll() }
    }
}
