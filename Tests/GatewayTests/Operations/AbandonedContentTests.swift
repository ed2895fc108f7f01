import Logging
import Model
import NIOCore
import ObjectAccess
import Observability
import Register
import S3Protocol
import Synchronization
import Testing

@testable import Gateway

/// What failed requests have stored is given back, and nothing else.
@Suite struct AbandonedContentTests {
    private let large = pattern(3 << 20)

    private func settled(_ gateway: TestGateway) async -> (kept: Int, dropped: Int) {
        await gateway.operations.abandoned.settle()
        return gateway.storage.contents.withLock { ($0.chunks.count, $0.dropped.count) }
    }

    @Test("an upload that breaks off, or has a wrong digest", arguments: [S3ErrorCode.incompleteBody, .badDigest])
    func brokenBody(_ code: S3ErrorCode) async throws {
        let gateway = try await TestGateway.withBucket()
        let answer = await gateway.send(
            .putObject, .PUT, key: "a", content: RequestBody(large) { () throws(S3Error) in throw S3Error(code) })
        #expect(answer.code == code.rawValue)
        #expect(await settled(gateway) == (0, 3))
    }

    @Test("an upload whose condition does not hold, whose bucket goes, or that finds no room")
    func refused() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a")
        #expect(await gateway.put("a", large, headers: ["If-None-Match": "*"]).status == 412)
        #expect(await settled(gateway) == (0, 3))
        for error in [AccessError.diskFull, .noQuorum("x"), .overloaded, .deadlineExceeded] {
            gateway.storage.contents.withLock { $0.updateFailure = error }
            #expect(await gateway.put("a", large).status >= 503)
        }
        #expect(await settled(gateway) == (0, 15))
        gateway.storage.contents.withLock { $0.updateFailure = nil }
        let body = RequestBody(large) { [cluster = gateway.cluster] in
            _ = try? await cluster.change(.init(change: .bucketDeleteBegin, name: "box"), context: .init())
            try? await cluster.refresh()
        }
        #expect(await gateway.send(.putObject, .PUT, key: "a", content: body).code == "OperationAborted")
        #expect(await settled(gateway).kept == 0)
    }

    @Test("when nobody can tell whether the record was written, the content stays")
    func unknown() async throws {
        let gateway = try await TestGateway.withBucket()
        gateway.storage.contents.withLock { $0.updateFailure = .outcomeUnknown }
        #expect(await gateway.put("a", large).status == 503)
        #expect(await settled(gateway) == (3, 0))
    }

    @Test("what was stored stays, also when it replaces something")
    func stored() async throws {
        let gateway = try await TestGateway.withBucket()
        for _ in 0..<2 { #expect(await gateway.put("a", large).status == 200) }
        #expect(await settled(gateway) == (6, 0))
        #expect(await gateway.get("a").body == large)
    }

    @Test("an upload that takes longer than unreferenced chunks are kept is refused, as early as that is known")
    func tooSlow() async throws {
        let gateway = try await TestGateway.withBucket()
        gateway.storage.contents.withLock { contents in
            contents.beforeUpdate = { [time = gateway.time] _ in time.pass(Limits.uploadTimeMax) }
        }
        #expect(await gateway.put("a", large).code == "RequestTimeout")
        gateway.storage.contents.withLock { $0.beforeUpdate = nil }
        #expect(await gateway.get("a").status == 404)
        let body = RequestBody(large) { [time = gateway.time] in time.pass(Limits.uploadTimeMax) }
        #expect(await gateway.send(.putObject, .PUT, key: "a", content: body).code == "RequestTimeout")
        #expect(await settled(gateway).kept == 0)
    }

    @Test("a deadline that passes between two attempts says that the outcome is unknown, and nothing is dropped")
    func lateRepetition() async throws {
        let gateway = try await TestGateway.withBucket()
        gateway.storage.contents.withLock { contents in
            contents.beforeRepetition = { [time = gateway.time] in time.pass(Limits.uploadTimeMax) }
        }
        let answer = await gateway.put("a", large)
        #expect(answer.status == 503)
        #expect(answer.text.contains("unknown"))
        #expect(await settled(gateway) == (3, 0))
    }

    @Test("each chunk knows the register that is to refer to it: the object's, or the upload's")
    func owners() async throws {
        let gateway = try await TestGateway.withBucket()
        let bucket = try #require(gateway.cluster.view.buckets["box"]?.bucketID)
        await gateway.put("a", large)
        let object = Gateway.RegisterName(bucket: bucket, key: Array("a".utf8))
        #expect(gateway.storage.contents.withLock { Set($0.owners.values) } == [object])
        let answer = await gateway.send(.createMultipartUpload, .POST, key: "b")
        let id = try #require(answer.xml?.value("UploadId").flatMap { OperationID(hex: $0) })
        gateway.storage.contents.withLock { $0.owners = [:] }
        _ = await gateway.send(
            .uploadPart, .PUT, key: "b", query: [("uploadId", id.description), ("partNumber", "1")], body: large)
        let upload = UploadName(bucket: bucket, key: Array("b".utf8), id: id)
        #expect(gateway.storage.contents.withLock { Set($0.owners.values) } == [upload.register])
    }

    @Test("the queue is bounded: what does not fit is left to repair, and counted")
    func bounded() async throws {
        let storage = MemoryStorage()
        let metrics = MetricsRegistry()
        let abandoned = AbandonedContent(storage: storage, logger: Logger(label: "test"), metrics: metrics)
        let gate = Gate()
        storage.contents.withLock { $0.beforeDrop = { await gate.wait() } }
        for low in 0..<UInt64(2000) { abandoned.drop(BlobID(high: 1, low: low), count: 2) }
        gate.open()
        await abandoned.settle()
        let dropped = storage.contents.withLock { $0.dropped.count } / 2
        #expect((AbandonedContent.waitingMax...AbandonedContent.waitingMax + 8).contains(dropped))
        abandoned.drop(BlobID(high: 2, low: 0), count: 0)
        await abandoned.settle()
        #expect(storage.contents.withLock { $0.dropped.count } == 2 * dropped)
    }
}

/// Holds back whoever waits until it is opened.
private final class Gate: Sendable {
    private let state = Mutex<(isOpen: Bool, waiters: [CheckedContinuation<Void, Never>])>((false, []))

    func wait() async {
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if !state.isOpen { state.waiters.append(continuation) }
                return state.isOpen
            }
            if isOpen { continuation.resume() }
        }
    }

    func open() {
        let waiters = state.withLock { state in
            defer { state = (true, []) }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
