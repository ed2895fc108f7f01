import ClusterState
import Model
import ObjectAccess
import S3Protocol
import Synchronization
import Testing
import Wire

@testable import Gateway

/// What buckets hold, counted as storage nodes do.
extension MemoryStorage {
    func usage(of buckets: [BucketID]) -> [BucketID: StoredUsage] {
        contents.withLock { contents in
            var usage: [BucketID: StoredUsage] = [:]
            for (name, state) in contents.registers where buckets.contains(name.bucket) && state.isLive {
                guard name.keyspace != .uploads, let bytes = state.record?.summary,
                    let summary = try? ListingSummary(decoding: bytes), !summary.archived,
                    summary.kind != .versionDeleteMarker
                else { continue }
                usage[name.bucket, default: StoredUsage()].objects += name.keyspace == .parts ? 0 : 1
                usage[name.bucket, default: StoredUsage()].bytes += summary.size
            }
            return usage
        }
    }
}

@Suite struct QuotasTests {
    private func gateway(bytes: UInt64 = 0, objects: UInt64 = 0, versioning: String? = nil) async throws -> TestGateway
    {
        let gateway = TestGateway()
        gateway.cluster.add("box", documents: versioning.map { ["versioning": $0] } ?? [:]) {
            $0.quotaBytes = bytes
            $0.quotaObjects = objects
        }
        try await gateway.cluster.refresh()
        return gateway
    }

    private func zeros(_ count: Int) -> [UInt8] { Array(repeating: 0, count: count) }

    @Test("puts, overwrites and deletes go by the bytes that the bucket has then")
    func bytes() async throws {
        let gateway = try await gateway(bytes: 1000)
        #expect(await gateway.put("a", zeros(600)).status == 200)
        #expect(await gateway.put("b", zeros(400)).status == 200)
        let refused = await gateway.put("c", zeros(1))
        #expect(refused.status == 403)
        #expect(refused.code == "QuotaExceeded")
        #expect(await gateway.put("a", zeros(600)).status == 200, "an overwrite of the same size adds nothing")
        #expect(await gateway.put("a", zeros(601)).code == "QuotaExceeded")
        #expect(await gateway.put("b", zeros(100)).status == 200)
        #expect(await gateway.put("c", zeros(300)).status == 200)
        #expect(await gateway.put("d", zeros(1)).code == "QuotaExceeded")
        #expect(await gateway.send(.deleteObject, .DELETE, key: "a").status == 204)
        #expect(await gateway.put("d", zeros(600)).status == 200)
        #expect(await gateway.put("e", zeros(1)).code == "QuotaExceeded")
    }

    @Test("objects are counted; what overwrites adds none, an empty object does")
    func objects() async throws {
        let gateway = try await gateway(objects: 2)
        #expect(await gateway.put("a", []).status == 200)
        #expect(await gateway.put("b", []).status == 200)
        #expect(await gateway.put("b", [1]).status == 200)
        #expect(await gateway.put("c", []).code == "QuotaExceeded")
        #expect(await gateway.get("c").code == "NoSuchKey")
        let copy = await gateway.send(.copyObject, .PUT, key: "c", headers: ["x-amz-copy-source": "/box/a"])
        #expect(copy.code == "QuotaExceeded")
    }

    @Test("every version counts, a delete marker does not, and a version that is removed frees its place")
    func versions() async throws {
        let gateway = try await gateway(objects: 2, versioning: "Enabled")
        let first = await gateway.put("a", [1])
        #expect(await gateway.put("a", [2]).status == 200)
        await gateway.operations.archive.wait()
        #expect(await gateway.put("a", [3]).code == "QuotaExceeded")
        #expect(await gateway.send(.deleteObject, .DELETE, key: "a").status == 204)
        #expect(await gateway.put("a", [3]).code == "QuotaExceeded")
        let id = first.headers.first(name: "x-amz-version-id")
        #expect(await gateway.send(.deleteObject, .DELETE, key: "a", query: [("versionId", id)]).status == 204)
        #expect(await gateway.put("a", [3]).status == 200)
    }

    @Test("one request of several that come at the same time gets the last place")
    func race() async throws {
        let gateway = try await gateway(objects: 5)
        let done = await withTaskGroup(of: Int.self) { group in
            for number in 0..<20 { group.addTask { await gateway.put("k\(number)", []).status } }
            return await group.reduce(into: [:]) { $0[$1, default: 0] += 1 }
        }
        #expect(done == [200: 5, 403: 15])
        let bucket = try #require(gateway.cluster.view.buckets["box"]?.bucketID)
        #expect(gateway.storage.usage(of: [bucket])[bucket]?.objects == 5)
    }
}
