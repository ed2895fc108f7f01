import ArgumentParser
import Testing
import Wire

@testable import Tap

@Suite struct TapFilterTests {
    static func record(_ change: (inout TapRecord) -> Void = { _ in }) -> TapRecord {
        var record = TapRecord(
            timeMicroseconds: 1_700_000_000_000_042, process: "gateway-1", direction: .tapReply, type: .stage,
            peer: "storage-2", correlationId: 9, requestId: "R1", key: Array("photos/a".utf8), bodyBytes: 120,
            payloadBytes: 4096, latencyMicroseconds: 1042, status: .ok, bucket: "ab")
        change(&record)
        return record
    }

    static func filter(_ arguments: String...) throws -> TapFilter { try FilterOptions.parse(arguments).filter }

    @Test("without conditions everything is shown")
    func all() throws {
        #expect(try Self.filter().admits(Self.record()))
        #expect(try Self.filter().admits(TapRecord()))
    }

    @Test("types are any of those given, however they are spelled")
    func types() throws {
        let filter = try Self.filter("--type", "stage", "--type", "PUT_CHUNK")
        #expect(filter.types == [.stage, .putChunk])
        #expect(filter.admits(Self.record()))
        #expect(filter.admits(Self.record { $0.type = .putChunk }))
        #expect(!filter.admits(Self.record { $0.type = .commit }))
        #expect(throws: ValidationError.self) { try Self.filter("--type", "staging") }
    }

    @Test("a key is compared from its beginning, as bytes")
    func key() throws {
        let filter = try Self.filter("--key", "photos/é")
        #expect(filter.admits(Self.record { $0.key = Array("photos/été".utf8) }))
        #expect(!filter.admits(Self.record()))
        #expect(!filter.admits(Self.record { $0.key = [] }))
    }

    @Test("all conditions must hold; a result is that of an answer")
    func together() throws {
        let filter = try Self.filter("--peer", "storage-2", "--status", "ok", "--key", "photos")
        #expect(filter.admits(Self.record()))
        #expect(!filter.admits(Self.record { $0.peer = "storage-1" }))
        #expect(!filter.admits(Self.record { $0.status = .overloaded }))
        #expect(!filter.admits(Self.record { $0.direction = .tapRequest }))
        #expect(throws: ValidationError.self) { try Self.filter("--status", "fine") }
    }
}
