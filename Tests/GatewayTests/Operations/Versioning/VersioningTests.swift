import Model
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Testing
import Wire

@testable import Gateway

extension TestGateway {
    static func versioned(_ status: String = "Enabled") async throws -> TestGateway {
        try await withBucket(documents: ["versioning": status])
    }

    func setVersioning(_ status: String) async -> Answer {
        await send(
            .putBucketVersioning, .PUT, query: [("versioning", nil)],
            body: Array("<VersioningConfiguration><Status>\(status)</Status></VersioningConfiguration>".utf8))
    }

    @discardableResult
    func delete(_ key: String, version: String? = nil, headers: HTTPHeaders = [:]) async -> Answer {
        await send(
            .deleteObject, .DELETE, key: key, query: version.map { [("versionId", $0)] } ?? [], headers: headers)
    }

    /// As `key/id`, delete markers with a minus, the latest with a star.
    func listVersions(_ query: [(String, String?)] = []) async -> [String] {
        let answer = await send(.listObjectVersions, query: [("versions", nil), ("encoding-type", "url")] + query)
        let entries = answer.xml?.children.filter { $0.name == "Version" || $0.name == "DeleteMarker" } ?? []
        return entries.map { entry in
            let latest = entry.value("IsLatest") == "true" ? "*" : ""
            let marker = entry.name == "DeleteMarker" ? "-" : ""
            let key = PercentEncoding.decode(entry.value("Key") ?? "") ?? ""
            return "\(marker)\(key)/\(entry.value("VersionId") ?? "")\(latest)"
        }
    }
}

extension Answer {
    var version: String? { headers.first(name: "x-amz-version-id") }
}

@Suite struct VersioningTests {
    @Test("each put leaves a version; the newest is the current one")
    func puts() async throws {
        let gateway = try await TestGateway.versioned()
        let first = try #require(await gateway.put("k", [1]).version)
        let second = try #require(await gateway.put("k", [2]).version)
        #expect(first != second)
        #expect(await gateway.get("k").body == [2])
        #expect(await gateway.get("k", query: [("versionId", first)]).body == [1])
        #expect(await gateway.get("k", query: [("versionId", second)]).version == second)
        #expect(await gateway.listVersions() == ["k/\(second)*", "k/\(first)"])
        await gateway.operations.archive.wait()
        #expect(await gateway.get("k", query: [("versionId", first)]).body == [1])
        #expect(await gateway.listVersions() == ["k/\(second)*", "k/\(first)"])
    }

    @Test("a delete puts a marker, and deleting the marker brings the object back")
    func markers() async throws {
        let gateway = try await TestGateway.versioned()
        let first = try #require(await gateway.put("k", [1]).version)
        let deleted = await gateway.delete("k")
        let marker = try #require(deleted.version)
        #expect(deleted.headers.first(name: "x-amz-delete-marker") == "true")
        let missing = await gateway.get("k")
        #expect(missing.code == "NoSuchKey")
        #expect(missing.headers.first(name: "x-amz-delete-marker") == "true")
        #expect(missing.version == marker)
        #expect(await gateway.get("k", query: [("versionId", marker)]).code == "MethodNotAllowed")
        #expect(await gateway.listVersions() == ["-k/\(marker)*", "k/\(first)"])
        #expect(await gateway.send(.listObjects).values("Contents", "Key") == [])
        let gone = await gateway.delete("k", version: marker)
        #expect(gone.headers.first(name: "x-amz-delete-marker") == "true")
        #expect(await gateway.get("k").body == [1])
        #expect(await gateway.listVersions() == ["k/\(first)*"])
    }

    @Test("a small object from before versioning becomes the null version, with its content")
    func nullVersion() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("k", [1, 2, 3])
        #expect(await gateway.setVersioning("Enabled").status == 200)
        let second = try #require(await gateway.put("k", [4]).version)
        await gateway.operations.archive.wait()
        #expect(await gateway.get("k", query: [("versionId", "null")]).body == [1, 2, 3])
        #expect(await gateway.listVersions() == ["k/\(second)*", "k/null"])
        #expect(await gateway.setVersioning("Suspended").status == 200)
        #expect(await gateway.put("k", [5]).version == "null")
        #expect(await gateway.get("k", query: [("versionId", "null")]).body == [5])
        #expect(await gateway.listVersions() == ["k/null*", "k/\(second)"])
        #expect(await gateway.delete("k").version == "null")
        #expect(await gateway.listVersions() == ["-k/null*", "k/\(second)"])
    }

    @Test("deleting versions one by one, in any order, leaves a bucket that can be deleted", arguments: 0..<6)
    func deletingAll(_ order: Int) async throws {
        let gateway = try await TestGateway.versioned()
        var versions: [String] = []
        for number in 0..<3 { versions.append(try #require(await gateway.put("k", [UInt8(number)]).version)) }
        let orders = [[0, 1, 2], [0, 2, 1], [1, 0, 2], [1, 2, 0], [2, 0, 1], [2, 1, 0]]
        var left = Set(versions)
        for index in orders[order] {
            #expect(await gateway.send(.deleteBucket, .DELETE).code == "BucketNotEmpty")
            #expect(await gateway.delete("k", version: versions[index]).status == 204)
            left.remove(versions[index])
            let newest = versions.last(where: left.contains)
            #expect(await gateway.get("k").version == newest)
            #expect(await gateway.listVersions().count == left.count)
        }
        #expect(await gateway.send(.deleteBucket, .DELETE).status == 204)
    }

    @Test("bad version ids are refused, good ones of no version are missing")
    func badVersions() async throws {
        let gateway = try await TestGateway.versioned()
        await gateway.put("k", [1])
        let none = VersionName(place: 5, number: 5).id
        #expect(await gateway.get("k", query: [("versionId", "x")]).code == "InvalidArgument")
        #expect(await gateway.get("k", query: [("versionId", none)]).code == "NoSuchVersion")
        #expect(await gateway.get("k", query: [("versionId", "null")]).code == "NoSuchVersion")
        #expect(await gateway.delete("k", version: none).status == 204)
        #expect(await gateway.delete("k", version: "x").code == "InvalidArgument")
        #expect(await gateway.listVersions().count == 1)
    }

    @Test("pages of versions of any size are the same list")
    func pages() async throws {
        let gateway = try await TestGateway.versioned()
        for key in ["a", "a\u{0}b", "b/1", "b/2", "c"] {
            for number in 0..<3 { await gateway.put(key, [UInt8(number)]) }
        }
        await gateway.delete("b/2")
        await gateway.operations.archive.wait()
        await gateway.put("c", [9])
        let whole = await gateway.listVersions()
        #expect(whole.count == 17)
        for size in [1, 2, 3, 5, 16] {
            var query: [(String, String?)] = []
            var pages: [String] = []
            while true {
                let answer = await gateway.send(
                    .listObjectVersions, query: [("max-keys", "\(size)"), ("encoding-type", "url")] + query)
                let entries = await gateway.listVersions([("max-keys", "\(size)")] + query)
                #expect(entries.count <= size)
                pages += entries
                guard answer.xml?.value("IsTruncated") == "true" else { break }
                let key = PercentEncoding.decode(answer.xml?.value("NextKeyMarker") ?? "")
                query = [("key-marker", key), ("version-id-marker", answer.xml?.value("NextVersionIdMarker"))]
            }
            #expect(pages == whole, "pages of \(size)")
        }
        let rolled = await gateway.send(
            .listObjectVersions, query: [("delimiter", "/"), ("prefix", ""), ("encoding-type", "url")])
        #expect(rolled.values("CommonPrefixes", "Prefix") == ["b/"])
        #expect(await gateway.listVersions([("prefix", "b/")]).count == 7)
        #expect(await gateway.listVersions([("key-marker", "b/1")]).count == 8)
    }

    @Test("an older version is read by a copy, and tagged, while it is not the current one")
    func olderVersions() async throws {
        let gateway = try await TestGateway.versioned()
        let first = try #require(await gateway.put("k", [1], headers: ["x-amz-tagging": "a=b"]).version)
        await gateway.put("k", [2])
        let copy = await gateway.send(
            .copyObject, .PUT, key: "k", headers: ["x-amz-copy-source": "/box/k?versionId=\(first)"])
        #expect(copy.headers.first(name: "x-amz-copy-source-version-id") == first)
        #expect(await gateway.get("k").body == [1])
        let tags = "<Tagging><TagSet><Tag><Key>x</Key><Value>y</Value></Tag></TagSet></Tagging>"
        let tagged = await gateway.send(
            .putObjectTagging, .PUT, key: "k", query: [("versionId", first)], body: Array(tags.utf8))
        #expect(tagged.version == first)
        await gateway.operations.archive.wait()
        let old = await gateway.send(.getObjectTagging, key: "k", query: [("versionId", first)])
        #expect(old.text.contains("<Key>x</Key>"))
        let new = await gateway.send(.getObjectTagging, key: "k")
        #expect(new.text.contains("<Key>a</Key>"))
    }

    @Test("a completed upload is a version like others, and completing it again answers the same")
    func uploads() async throws {
        let gateway = try await TestGateway.versioned()
        let first = try #require(await gateway.put("k", [1]).version)
        let id = try #require(await gateway.send(.createMultipartUpload, .POST, key: "k").xml?.value("UploadId"))
        let part = await gateway.send(
            .uploadPart, .PUT, key: "k", query: [("uploadId", id), ("partNumber", "1")], body: [7])
        let body =
            "<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>\(part.etag ?? "")</ETag></Part>"
            + "</CompleteMultipartUpload>"
        var answers: [String?] = []
        for _ in 0..<2 {
            answers.append(
                await gateway.send(
                    .completeMultipartUpload, .POST, key: "k", query: [("uploadId", id)], body: Array(body.utf8)
                ).version)
        }
        #expect(answers[0] != nil && answers[0] == answers[1])
        #expect(await gateway.listVersions() == ["k/\(answers[0] ?? "")*", "k/\(first)"])
    }

    @Test("many writers at once: every version stays, one is the latest")
    func concurrent() async throws {
        let gateway = try await TestGateway.versioned()
        await withTaskGroup(of: Void.self) { group in
            for number in 0..<40 { group.addTask { await gateway.put("k", [UInt8(number)]) } }
        }
        await gateway.operations.archive.wait()
        let listed = await gateway.listVersions()
        #expect(listed.count == 40)
        #expect(listed.count { $0.hasSuffix("*") } == 1)
    }

    @Test(
        "documents that say no status are refused",
        arguments: [
            ("<VersioningConfiguration/>", "IllegalVersioningConfigurationException"),
            ("<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", "MalformedXML"),
            ("<X><Status>Enabled</Status></X>", "MalformedXML"), ("", "MissingRequestBodyError"),
        ])
    func badDocuments(_ body: String, _ code: String) async throws {
        let gateway = try await TestGateway.withBucket()
        #expect(await gateway.send(.putBucketVersioning, .PUT, body: Array(body.utf8)).code == code)
    }
}
