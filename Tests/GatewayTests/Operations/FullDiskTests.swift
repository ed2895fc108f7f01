import AccessTestKit
import Logging
import Model
import NIOCore
import ObjectAccess
import Observability
import S3Protocol
import Synchronization
import Testing

@testable import Gateway

/// A gateway over three storage nodes in memory.
private struct ClusterGateway: GatewayUnderTest {
    let cluster: FakeStorageCluster
    let operations: S3Operations

    init() {
        cluster = FakeStorageCluster(buckets: ["box": BucketID(high: 5, low: 5)], owner: "alice")
        let registers = cluster.makeClient()
        operations = S3Operations(
            storage: ClusterObjectStorage(
                registers: registers, chunks: ChunkClient(registers), lister: Lister(registers)),
            buckets: BucketDirectory(
                cluster: cluster, changes: MemoryCluster(), refresh: SharedRefresh(cluster: cluster)),
            encryptionKeys: EncryptionKeys(master: nil, cluster: cluster, refresh: SharedRefresh(cluster: cluster)),
            quotas: Quotas(cluster: cluster) { _ in [:] },
            logger: Logger(label: "test"),
            metrics: MetricsRegistry(), clock: { TestGateway.now })
    }

    func fill(_ count: Int, _ isFull: Bool = true) {
        for node in cluster.names.prefix(count) { cluster.change(node) { $0.isFull = isFull } }
    }

    /// Chunks over all nodes, when nothing is being dropped any more.
    func chunks() async -> Int {
        await operations.abandoned.settle()
        return cluster.names.map { cluster.node($0).chunks.count }.reduce(0, +)
    }
}

@Suite struct FullDiskTests {
    private let large = pattern(3 << 20)

    @Test("without room for a quorum uploads are refused for good, whatever their size", arguments: [2, 3])
    func refused(full: Int) async throws {
        let gateway = ClusterGateway()
        #expect(await gateway.put("before", large).status == 200)
        #expect(await eventually { gateway.cluster.names.allSatisfy { gateway.cluster.node($0).chunks.count == 3 } })
        gateway.fill(full)
        for body in [[], [1], large] {
            let answer = await gateway.put("a", body)
            #expect(answer.status == 507)
            #expect(answer.code == "InsufficientStorage")
            #expect(answer.text.contains("full"))
        }
        #expect(await gateway.get("a").code == "NoSuchKey")
        #expect(await gateway.chunks() == 9, "what one node could store is given back")
    }

    @Test("a large upload is refused after its first pieces, not at its end")
    func early() async throws {
        let gateway = ClusterGateway()
        gateway.fill(3)
        let taken = Atomic<Int>(0)
        let body = RequestBody(endless: 5 << 30) { taken.add($0, ordering: .relaxed) }
        #expect(await gateway.send(.putObject, .PUT, key: "a", content: body).status == 507)
        #expect(taken.load(ordering: .relaxed) <= 4 << 20)
    }

    @Test("reading, listing and deleting go on; when there is room again, so does writing")
    func others() async throws {
        let gateway = ClusterGateway()
        for key in ["a", "b", "c"] { await gateway.put(key, large) }
        gateway.fill(3)
        #expect(await gateway.get("a").body == large)
        #expect(await gateway.send(.headObject, .HEAD, key: "b").status == 200)
        #expect(await gateway.send(.listObjectsV2).values("Contents", "Key") == ["a", "b", "c"])
        #expect(await gateway.send(.deleteObject, .DELETE, key: "a").status == 204)
        let body = Array("<Delete><Object><Key>b</Key></Object></Delete>".utf8)
        let deleted = await gateway.send(
            .deleteObjects, .POST, headers: ["Content-MD5": "checked elsewhere"], body: body)
        #expect(deleted.values("Deleted", "Key") == ["b"])
        #expect(await gateway.send(.listObjectsV2).values("Contents", "Key") == ["c"])
        gateway.fill(3, false)
        #expect(await gateway.put("d", large).status == 200)
        #expect(await gateway.get("d").body == large)
    }

    @Test("a multipart upload is refused whole at each step, and can be aborted or completed later")
    func multipart() async throws {
        let gateway = ClusterGateway()
        func query(_ id: String?, _ number: String? = nil) -> [(String, String?)] {
            [("uploadId", id)] + (number.map { [("partNumber", $0)] } ?? [])
        }
        let id = await gateway.send(.createMultipartUpload, .POST, key: "a").xml?.value("UploadId")
        let other = await gateway.send(.createMultipartUpload, .POST, key: "b").xml?.value("UploadId")
        let etag = await gateway.send(.uploadPart, .PUT, key: "a", query: query(id, "1"), body: large).etag ?? ""
        gateway.fill(3)
        let part = await gateway.send(.uploadPart, .PUT, key: "a", query: query(id, "2"), body: large)
        #expect(part.code == "InsufficientStorage")
        #expect(await gateway.send(.createMultipartUpload, .POST, key: "c").code == "InsufficientStorage")
        let parts = "<Part><PartNumber>1</PartNumber><ETag>\(etag)</ETag></Part>"
        let document = Array("<CompleteMultipartUpload>\(parts)</CompleteMultipartUpload>".utf8)
        func complete() async -> Answer {
            await gateway.send(.completeMultipartUpload, .POST, key: "a", query: query(id), body: document)
        }
        #expect(await complete().code == "InsufficientStorage")
        #expect(await gateway.send(.abortMultipartUpload, .DELETE, key: "b", query: query(other)).status == 204)
        gateway.fill(3, false)
        #expect(await complete().status == 200)
        #expect(await gateway.get("a").body == large)
    }

    @Test("one full node of three: writes go on, and what it misses is noted")
    func oneFull() async throws {
        let gateway = ClusterGateway()
        gateway.fill(1)
        #expect(await gateway.put("small", [1]).status == 200)
        #expect(await gateway.put("large", large).status == 200)
        #expect(await gateway.get("small").body == [1])
        #expect(await gateway.get("large").body == large)
        let full = gateway.cluster.names[0]
        #expect(
            await eventually {
                gateway.cluster.names.dropFirst().allSatisfy { node in
                    let hints = gateway.cluster.node(node).hints.values
                    return hints.count == 5 && hints.allSatisfy { $0.missed == full.rawValue }
                }
            }, "two registers and three chunks")
        #expect(gateway.cluster.node(full).chunks.isEmpty)
    }

    @Test("one full and one dead: that passes, so the client is to try again")
    func oneFullOneDown() async throws {
        let gateway = ClusterGateway()
        gateway.fill(1)
        gateway.cluster.set(gateway.cluster.names[1], .down)
        for body in [[1], large] {
            let answer = await gateway.put("a", body)
            #expect(answer.status == 503)
            #expect(answer.code == "ServiceUnavailable")
            #expect(answer.text.contains("diskFull"))
        }
        #expect(await gateway.chunks() == 0)
    }
}
