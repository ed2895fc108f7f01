import NIOHTTP1
import S3Protocol
import Testing

@testable import Gateway

@Suite struct ObjectAttributesTests {
    private func attributes(_ gateway: TestGateway, _ names: String, _ headers: HTTPHeaders = [:]) async -> Answer {
        var headers = headers
        headers.add(name: "x-amz-object-attributes", value: names)
        return await gateway.send(.getObjectAttributes, key: "k", headers: headers)
    }

    @Test("only what was asked for is answered")
    func chosen() async throws {
        let gateway = try await TestGateway.withBucket()
        let etag = await gateway.put("k", [1, 2, 3]).etag
        let answer = await attributes(gateway, "ETag, ObjectSize")
        #expect(answer.xml?.value("ETag") == etag.map(ETag.unquoted))
        #expect(answer.xml?.value("ObjectSize") == "3")
        #expect(answer.xml?.child("StorageClass") == nil)
        #expect(await attributes(gateway, "StorageClass").xml?.value("StorageClass") == "STANDARD")
        #expect(answer.headers.contains(name: "Last-Modified"))
    }

    @Test("what is no attribute is refused", arguments: ["", "Size", "ETag,"])
    func bad(_ names: String) async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("k", [1])
        let answer = await attributes(gateway, names)
        #expect(names == "ETag," ? answer.status == 200 : answer.code == "InvalidArgument")
    }

    @Test("a missing object is missing")
    func missing() async throws {
        let gateway = try await TestGateway.withBucket()
        #expect(await attributes(gateway, "ETag").code == "NoSuchKey")
    }
}

@Suite struct ObjectTaggingTests {
    @Test("tags come with a put, are counted, replaced and deleted")
    func tags() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("k", [1], headers: ["x-amz-tagging": "a=1&b=two+words&c%3D=%2B"])
        #expect(await gateway.get("k").headers.first(name: "x-amz-tagging-count") == "3")
        let text = await gateway.send(.getObjectTagging, key: "k").text
        #expect(text.contains("<Key>b</Key><Value>two words</Value>"))
        #expect(await gateway.send(.deleteObjectTagging, .DELETE, key: "k").status == 204)
        #expect(await gateway.get("k").headers.first(name: "x-amz-tagging-count") == nil)
        #expect(await gateway.get("k").body == [1])
    }

    @Test("a copy takes the tags along, or those of the request")
    func copies() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("k", [1], headers: ["x-amz-tagging": "a=1"])
        await gateway.send(.copyObject, .PUT, key: "same", headers: ["x-amz-copy-source": "/box/k"])
        await gateway.send(
            .copyObject, .PUT, key: "other",
            headers: [
                "x-amz-copy-source": "/box/k", "x-amz-tagging-directive": "REPLACE", "x-amz-tagging": "b=2&c=3",
            ])
        #expect(await gateway.get("same").headers.first(name: "x-amz-tagging-count") == "1")
        #expect(await gateway.get("other").headers.first(name: "x-amz-tagging-count") == "2")
    }

    @Test(
        "tags that S3 does not allow are refused",
        arguments: [
            ("a=1&a=2", "InvalidArgument"), ((0...10).map { "k\($0)=v" }.joined(separator: "&"), "InvalidTag"),
            ("=v", "InvalidTag"), (String(repeating: "k", count: 129) + "=v", "InvalidTag"),
            ("k=" + String(repeating: "v", count: 257), "InvalidTag"), ("a=%zz", "InvalidArgument"),
            ("aws:a=1", "InvalidTag"),
        ])
    func bad(_ header: String, _ code: String) async throws {
        let gateway = try await TestGateway.withBucket()
        #expect(await gateway.put("k", [1], headers: ["x-amz-tagging": header]).code == code)
    }
}
