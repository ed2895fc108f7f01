import MessageBus
import Model
import NIOCore
import Testing
import Wire

@Suite(.timeLimit(.minutes(1)))
struct TapTests {
    @Test("a tap shows request, answer and failure of what a process asks; without a listener nothing is published")
    func records() async throws {
        try await withCluster { cluster in
            let gateway = try cluster.start("gateway-1", .gateway)
            _ = try cluster.start(
                "storage-1", .storage,
                handler: Handler { request, responder in
                    if request.type == .commit {
                        responder.fail(.diskFull, "no room")
                    } else {
                        responder.reply(StageReply(promised: true), payload: [pattern(10)])
                    }
                })
            let tap = try cluster.start("admin", .admin)
            let heard = Mailbox<Publication>()
            #expect(!gateway.hasTap)
            let token = tap.bus.subscribe(to: "gateway-1", [.tap]) { heard.put($0) }
            while !gateway.hasTap { await Task.yield() }
            let name = Wire.RegisterName(bucket: Array(repeating: 0xab, count: 16), keyspace: 2, key: Array("a/b".utf8))
            _ = try await gateway.bus.request(
                .stage, StageRequest(name: name), payload: [pattern(5000)], to: "storage-1", timeout: .seconds(20),
                context: MessageContext(requestID: "R7"), answer: StageReply.self)
            _ = try? await gateway.bus.request(
                .commit, CommitRequest(name: name, state: StoredState(deleted: true)), to: "storage-1",
                timeout: .seconds(20), answer: CommitReply.self)
            var records: [TapRecord] = []
            while records.count < 4, let publication = await heard.next() {
                records.append(try TapRecord(decoding: publication.body))
            }
            #expect(records.map(\.direction) == [.tapRequest, .tapReply, .tapRequest, .tapReply])
            #expect(records.map(\.type) == [.stage, .stage, .commit, .commit])
            #expect(records.allSatisfy { $0.process == "gateway-1" && $0.peer == "storage-1" && $0.key == name.key })
            #expect(records.allSatisfy { $0.bucket == String(repeating: "ab", count: 16) })
            #expect(records.allSatisfy { $0.keyspace == 2 && !$0.wantsContent })
            #expect(records.map(\.deletes) == [false, false, true, true])
            #expect(records[0].payloadBytes == 5000)
            #expect(records[0].requestId == "R7")
            #expect(records[1].payloadBytes == 10)
            #expect(records[1].correlationId == records[0].correlationId)
            #expect(records[1].status == .ok)
            #expect(records[3].status == .diskFull)
            #expect(records[3].errorMessage == "no room")

            tap.bus.unsubscribe(token)
            while gateway.hasTap { await Task.yield() }
        }
    }

    @Test("a tap shows publications")
    func publications() async throws {
        try await withCluster { cluster in
            let storage = try cluster.start("storage-1", .storage)
            let tap = try cluster.start("admin", .admin)
            let heard = Mailbox<Publication>()
            _ = tap.bus.subscribe(to: "storage-1", [.tap, .hintsAdded]) { heard.put($0) }
            while !storage.hasTap || !storage.hasListener { await Task.yield() }
            storage.bus.publish(.hintsAdded, HintsAdded(total: 3))
            var types: Set<MessageType> = []
            while types.count < 2, let publication = await heard.next() {
                types.insert(publication.type)
                guard publication.type == .tap else { continue }
                let record = try TapRecord(decoding: publication.body)
                #expect(record.direction == .tapPublication)
                #expect(record.type == .hintsAdded)
            }
            #expect(types == [.tap, .hintsAdded])
        }
    }
}
