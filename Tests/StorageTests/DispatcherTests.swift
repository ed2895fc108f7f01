import Checksums
import Foundation
import Logging
import MessageBus
import Model
import NIOCore
import Observability
import Testing
import Threads
import Wire

@testable import Storage

@Suite final class DispatcherTests {
    private let path = NSTemporaryDirectory() + "dispatcher-" + UUID().uuidString
    private let engine: StorageEngine
    private let gate: RingGate

    init() throws {
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        var options = StorageEngine.Options(node: "storage-1", dataDirectory: path, disks: [path + "/disk-1"])
        options.segmentSize = 4 << 20
        options.indexMemory = 16 << 20
        gate = try RingGate(path: path + "/adopted-epoch", node: "storage-1", ring: { nil })
        engine = try StorageEngine(
            options, metrics: MetricsRegistry(),
            logger: Logger(label: "test", factory: { _ in SwiftLogNoOpLogHandler() }))
    }

    deinit {
        engine.stop()
        try? FileManager.default.removeItem(atPath: path)
    }

    /// `atOnce`: as the bus thread does; it must not hand the request on.
    private func ask(
        _ type: MessageType, _ body: [UInt8], _ payload: [ByteBuffer] = [], atOnce: Bool = false
    ) -> Answer {
        let answer = Monitor(Answer?.none)
        let request = IncomingRequest(
            type: type, sender: "gateway-1", role: .gateway, deadline: .now.advanced(by: .seconds(60)),
            body: ByteBuffer(bytes: body), payload: payload)
        let dispatcher = RequestDispatcher(engine: engine, ring: { nil }, gate: gate)
        let responder = Responder { result in
            answer.withLock { $0 = result }
            answer.wake()
        }
        if !atOnce { dispatcher.serve(request, responder) }
        #expect(!atOnce || dispatcher.serveAtOnce(request, responder))
        return answer.waiting { state, waiter in
            while state.pointee == nil { waiter.wait() }
            return state.pointee!
        }
    }

    @Test("A write and a read in the messages of the bus, by a worker and on the bus thread", arguments: [false, true])
    func writeAndRead(atOnce: Bool) throws {
        let blob = BlobPayload("hello", id: 4)
        let register = Wire.RegisterName(name("a"))
        let stage = StageRequest(
            name: register, ballot: BallotNumber(counter: 1, writer: 1), blob: blob.id.bytes,
            blobCrc32c: blob.content.checksum)
        let promise = ask(.stage, stage.encoded(), [blob.content.bytes], atOnce: atOnce)
        #expect(try StageReply(decoding: promise.body).promised)
        let state = ReplicaState.sample(1, blobs: [blob.id])
        let commit = ask(.commit, CommitRequest(name: register, state: state.stored).encoded(), atOnce: atOnce)
        #expect(try CommitReply(decoding: commit.body).outcome == .accepted)
        let read = ask(.read, ReadRequest(name: register, withBlob: true).encoded(), atOnce: atOnce)
        let reply = try ReadReply(decoding: read.body)
        #expect(reply.state == state.stored)
        #expect(reply.blobCrc32c == blob.content.checksum)
        #expect(read.payload == [blob.content.bytes])
        let list = ask(.list, ListRequest(bucket: name("").bucket.bytes, limit: 10, withRecords: true).encoded())
        let entries = try ListReply(decoding: list.body).entries
        #expect(entries.map(\.key) == [Array("a".utf8)])
        #expect(entries.first?.record == [1, 2])
    }

    @Test("The bus thread leaves to workers what is large, what lists, and what memory does not have")
    func notAtOnce() throws {
        let dispatcher = RequestDispatcher(engine: engine, ring: { nil }, gate: gate)
        func isServed(_ type: MessageType, _ body: [UInt8], _ payload: [ByteBuffer] = []) -> Bool {
            dispatcher.serveAtOnce(
                IncomingRequest(
                    type: type, sender: "gateway-1", role: .gateway, deadline: .now.advanced(by: .seconds(60)),
                    body: ByteBuffer(bytes: body), payload: payload),
                Responder { _ in })
        }
        let register = Wire.RegisterName(name("a"))
        let read = ReadRequest(name: register).encoded()
        #expect(isServed(.read, read))
        #expect(!isServed(.read, read, [ByteBuffer(repeating: 0, count: 65 << 10)]))
        #expect(!isServed(.list, ListRequest(bucket: name("").bucket.bytes, limit: 10).encoded()))
        let unstaged = ReplicaState.sample(1, blobs: [BlobID(high: 1, low: 9)])
        #expect(!isServed(.commit, CommitRequest(name: register, state: unstaged.stored).encoded()))
    }

    @Test("Who asks for the place of a chunk is told of those behind it, as far as they are here and large")
    func placesAhead() throws {
        let blob = BlobID(high: 1, low: 5)
        for (index, size) in [(0, 40_000), (1, 50_000), (2, 100), (4, 60_000)] {
            let bytes = ByteBuffer(repeating: UInt8(index), count: size)
            let put = PutChunkRequest(blob: blob.bytes, index: UInt32(index), crc32c: crc32c(bytes))
            #expect(ask(.putChunk, put.encoded(), [bytes]).status == .ok)
        }
        for atOnce in [false, true] {
            func reply(_ index: UInt32, _ ahead: UInt32, inPlace: Bool = true) throws -> GetChunkReply {
                let get = GetChunkRequest(blob: blob.bytes, index: index, inPlace: inPlace, ahead: ahead)
                return try GetChunkReply(decoding: ask(.getChunk, get.encoded(), atOnce: atOnce).body)
            }
            let first = try reply(0, 10)
            #expect(first.place != nil && first.size == 40_000)
            #expect(first.ahead.map(\.index) == [1, 4])
            let second = try reply(1, 0)
            #expect(second.ahead.isEmpty)
            #expect(first.ahead[0].place == second.place && first.ahead[0].crc32c == second.crc32c)
            #expect(try reply(1, 2).ahead.isEmpty)
            #expect(try reply(1, .max).ahead.map(\.index) == [4])
            if !atOnce { #expect(try reply(0, 10, inPlace: false).ahead.isEmpty) }
        }
    }

    @Test("In each millisecond the bus thread serves so many requests itself, and hands on the rest")
    func share() {
        var share = BusThreadShare()
        let begin = ContinuousClock.now.advanced(by: .seconds(1))
        #expect((0..<40).count { share.take(at: begin.advanced(by: .microseconds($0 * 20))) } == 16)
        #expect((0..<40).count { share.take(at: begin.advanced(by: .microseconds(1000 + $0 * 100))) } == 40)
    }

    @Test("Requests that make no sense are refused as malformed or unknown, and change nothing")
    func malformed() throws {
        let register = Wire.RegisterName(name("a"))
        #expect(ask(.stage, [0xff, 0xff]).status == .malformed)
        #expect(ask(.stage, StageRequest(name: register).encoded()).status == .malformed)
        #expect(ask(.read, ReadRequest().encoded()).status == .malformed)
        #expect(ask(.commit, CommitRequest(name: register).encoded()).status == .malformed)
        let badBlob = StoredState(tag: BallotNumber(counter: 1, writer: 1), sequence: 1, blobs: [[1, 2, 3]])
        #expect(ask(.commit, CommitRequest(name: register, state: badBlob).encoded()).status == .malformed)
        #expect(ask(.putChunk, PutChunkRequest(blob: [1], index: 0).encoded()).status == .malformed)
        #expect(ask(.list, ListRequest(bucket: name("").bucket.bytes).encoded()).status == .malformed)
        #expect(ask(.enrol, []).status == .unknownType)
        let wrong = PutChunkRequest(blob: BlobID(high: 1, low: 1).bytes, index: 0, crc32c: 1)
        #expect(ask(.putChunk, wrong.encoded(), [ByteBuffer(string: "x")]).status == .malformed)
        #expect(ask(.digestPartitions, DigestPartitionsRequest().encoded()).status == .unavailable)
        let probe = GetChunkRequest(blob: BlobID(high: 1, low: 1).bytes, index: 0, probe: true)
        #expect(ask(.getChunk, probe.encoded()).status == .notFound)
        #expect(engine.disks[0].index.totals.totalRecords == 0)
    }

    @Test("Hints over the bus: of one node, page by page, with their ids")
    func hints() throws {
        let hints = (0..<6).map { Hint(missed: $0 % 2 == 0 ? "storage-2" : "storage-3", index: UInt32($0)) }
        #expect(ask(.noteHint, NoteHintRequest(hints: hints).encoded()).status == .ok)
        var after: UInt64 = 0
        var found: [UInt32] = []
        while true {
            let answer = ask(.fetchHints, FetchHintsRequest(after: after, limit: 2, missed: "storage-2").encoded())
            let page = try FetchHintsReply(decoding: answer.body)
            #expect(page.total == 6)
            guard let last = page.hints.last else { break }
            found += page.hints.map(\.index)
            after = last.id
        }
        #expect(found == [0, 2, 4])
        #expect(ask(.forgetHints, ForgetHintsRequest(ids: [after]).encoded()).status == .ok)
        #expect(engine.hintCount == 5)
    }

    @Test("du counts what is in force and what the log holds; a deleted object leaves the active ones")
    func usage() throws {
        let commands = NodeCommands(engine: engine)
        _ = try Pending.of { engine.commit(name("a"), .sample(1), $0) }
        _ = try Pending.of { engine.commit(name("a"), .sample(2, deleted: true), $0) }
        let json = String(decoding: try #require(try commands.run("du", [])), as: UTF8.self)
        #expect(json.contains("\"active_objects\":1"))
        #expect(json.contains("\"total_objects\":2"))
        #expect(json.contains("\"state\":\"ok\""))
        #expect(try commands.run("mq-stats", []) != nil)
        #expect(try commands.run("status", []) != nil)
        #expect(try commands.run("make-coffee", []) == nil)
        let bucket = name("").bucket.description
        let whereis = String(decoding: try #require(try commands.run("whereis", [bucket, "a"])), as: UTF8.self)
        #expect(whereis.contains("\"tag\":\"2.1\""))
    }
}
