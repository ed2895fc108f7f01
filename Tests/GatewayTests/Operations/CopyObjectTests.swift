import Model
import NIOHTTP1
import S3Protocol
import Testing

@testable import Gateway

@Suite struct CopyObjectTests {
    private func copy(
        _ gateway: TestGateway, _ source: String, _ key: String, headers: HTTPHeaders = [:],
        as user: Identity = TestGateway.alice
    ) async -> Answer {
        var headers = headers
        headers.add(name: "x-amz-copy-source", value: source)
        return await gateway.send(.copyObject, .PUT, key: key, headers: headers, as: user)
    }

    @Test("a copy has the bytes and the metadata, and blobs of its own", arguments: [0, 100, 3 << 20])
    func copies(_ size: Int) async throws {
        let gateway = try await TestGateway.withBucket()
        let bytes = pattern(size)
        let etag = await gateway.put("a b", bytes, headers: ["Content-Type": "x/y", "x-amz-meta-k": "v"]).etag
        let answer = await copy(gateway, "/box/a%20b", "c")
        #expect(answer.status == 200)
        #expect(answer.xml?.name == "CopyObjectResult")
        #expect(answer.xml?.value("ETag") == etag)
        #expect(await gateway.send(.deleteObject, .DELETE, key: "a b").status == 204)
        let got = await gateway.get("c")
        #expect(got.body == bytes)
        #expect(got.headers.first(name: "content-type") == "x/y")
        #expect(got.headers.first(name: "x-amz-meta-k") == "v")
        gateway.storage.contents.withLock { contents in
            let names = contents.registers.values.compactMap(\.record).filter { !$0.deleted }.flatMap(\.blobs)
            #expect(Set(names).count == names.count)
        }
    }

    @Test("the directive REPLACE takes the metadata of the request")
    func replace() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a", headers: ["Content-Type": "x/y", "x-amz-meta-k": "v"])
        let headers: HTTPHeaders = ["x-amz-metadata-directive": "REPLACE", "x-amz-meta-n": "w"]
        #expect(await copy(gateway, "box/a", "a", headers: headers).status == 200)
        let got = await gateway.get("a")
        #expect(got.text == "content")
        #expect(got.headers.first(name: "x-amz-meta-n") == "w")
        #expect(got.headers.first(name: "x-amz-meta-k") == nil)
        #expect(got.headers.first(name: "content-type") == "binary/octet-stream")
    }

    @Test("a copy onto itself without a change is illegal")
    func itself() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a")
        #expect(await copy(gateway, "box/a", "a").code == "InvalidRequest")
        #expect(await copy(gateway, "box/a", "a", headers: ["x-amz-metadata-directive": "X"]).code == "InvalidArgument")
        #expect(await copy(gateway, "box/a", "a", headers: ["x-amz-storage-class": "STANDARD_IA"]).status == 200)
    }

    @Test("conditions on the source")
    func conditions() async throws {
        let gateway = try await TestGateway.withBucket()
        let etag = try #require(await gateway.put("a").etag)
        #expect(await copy(gateway, "box/a", "b", headers: ["x-amz-copy-source-if-match": "\"x\""]).status == 412)
        #expect(await copy(gateway, "box/a", "b", headers: ["x-amz-copy-source-if-none-match": etag]).status == 412)
        #expect(await gateway.get("b").status == 404)
        #expect(await copy(gateway, "box/a", "b", headers: ["x-amz-copy-source-if-match": etag]).status == 200)
        #expect(await copy(gateway, "box/a", "b", headers: ["If-None-Match": "*"]).status == 412)
    }

    @Test("a source that is missing, malformed, or not one's to read")
    func badSources() async throws {
        let gateway = try await TestGateway.withBucket(acl: "private")
        gateway.cluster.add("bobs", owner: "bob")
        await gateway.put("a")
        #expect(await copy(gateway, "box/none", "b").code == "NoSuchKey")
        #expect(await copy(gateway, "nowhere/a", "b").code == "NoSuchBucket")
        #expect(await copy(gateway, "box", "b").code == "InvalidArgument")
        #expect(await copy(gateway, "box/a?versionId=7", "b").code == "InvalidArgument")
        let answer = await gateway.send(
            .copyObject, .PUT, bucket: "bobs", key: "b", headers: ["x-amz-copy-source": "box/a"], as: TestGateway.bob)
        #expect(answer.code == "AccessDenied")
    }

    @Test("a source whose content is gone while it is copied: try again if it was replaced, damage if not")
    func replacedSource() async throws {
        let gateway = try await TestGateway.withBucket()
        let storage = gateway.storage
        @Sendable func dropTail() {
            storage.contents.withLock { contents in
                contents.chunks = contents.chunks.filter { $0.key.index < 4 }
            }
        }
        await gateway.put("a", pattern(5 << 20))
        storage.contents.withLock { contents in
            contents.beforePut = {
                storage.contents.withLock { $0.beforePut = nil }
                dropTail()
                await gateway.put("a", [1])
            }
        }
        let answer = await copy(gateway, "box/a", "b")
        #expect(answer.code == "ServiceUnavailable")
        #expect(answer.text.contains("replaced"))
        await gateway.put("a", pattern(5 << 20))
        dropTail()
        #expect(await copy(gateway, "box/a", "b").code == "InternalError")
        #expect(await gateway.get("b").status == 404)
        await gateway.operations.abandoned.settle()
        #expect(storage.contents.withLock { $0.dropped.count } >= 2)
    }
}
