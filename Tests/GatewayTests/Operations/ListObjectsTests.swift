import S3Protocol
import Testing

@testable import Gateway

@Suite struct ListObjectsTests {
    private static let keys = ["a", "b/1", "b/2", "b/c/3", "d", "e//f", "ü", "z+ z"]

    private func gateway(_ keys: [String] = keys) async throws -> TestGateway {
        let gateway = try await TestGateway.withBucket()
        for key in keys { await gateway.put(key, Array(key.utf8)) }
        return gateway
    }

    @Test("all keys in the order of their bytes, with what clients show of them")
    func all() async throws {
        let gateway = try await gateway()
        let answer = await gateway.send(.listObjects)
        #expect(answer.values("Contents", "Key") == ["a", "b/1", "b/2", "b/c/3", "d", "e//f", "z+ z", "ü"])
        #expect(answer.xml?.value("IsTruncated") == "false")
        #expect(answer.xml?.value("Name") == "box")
        #expect(answer.xml?.value("MaxKeys") == "1000")
        let first = try #require(answer.xml?.child("Contents"))
        #expect(first.value("Size") == "1")
        #expect(first.value("ETag") == "\"0cc175b9c0f1b6a831c399e269772661\"")
        #expect(first.value("LastModified") == "2023-11-14T22:13:20.000Z")
        #expect(first.value("StorageClass") == "STANDARD")
        #expect(first.child("Owner")?.value("ID") == "alice")
    }

    @Test(
        "prefix and any delimiter",
        arguments: [
            ("", "/", ["a", "d", "z+ z", "ü"], ["b/", "e/"]), ("b/", "/", ["b/1", "b/2"], ["b/c/"]),
            ("b", "", ["b/1", "b/2", "b/c/3"], []), ("e", "//", [], ["e//"]), ("x", "/", [], []),
            ("", "/c/", ["a", "b/1", "b/2", "d", "e//f", "z+ z", "ü"], ["b/c/"]), ("d", "d", ["d"], []),
        ] as [(String, String, [String], [String])])
    func rolledUp(_ prefix: String, _ delimiter: String, _ keys: [String], _ prefixes: [String]) async throws {
        let gateway = try await gateway()
        for operation in [S3Operation.listObjects, .listObjectsV2] {
            let answer = await gateway.send(operation, query: [("prefix", prefix), ("delimiter", delimiter)])
            #expect(answer.values("Contents", "Key") == keys)
            #expect(answer.values("CommonPrefixes", "Prefix") == prefixes)
            #expect(answer.xml?.value("Prefix") == prefix)
        }
    }

    @Test("pages of version 1 by marker give every entry once", arguments: [1, 2, 3, 5, 100])
    func pagesV1(_ size: Int) async throws {
        let gateway = try await gateway()
        var marker = ""
        var seen: [String] = []
        for _ in 0..<20 {
            let answer = await gateway.send(
                .listObjects, query: [("delimiter", "/"), ("max-keys", String(size)), ("marker", marker)])
            let page = answer.values("Contents", "Key") + answer.values("CommonPrefixes", "Prefix")
            #expect(page.count <= size)
            seen += page
            guard answer.xml?.value("IsTruncated") == "true" else { break }
            marker = try #require(answer.xml?.child("NextMarker")?.text)
        }
        #expect(Set(seen) == ["a", "b/", "d", "e/", "ü", "z+ z"])
        #expect(seen.count == 6)
    }

    @Test("pages of version 2 by token give every entry once", arguments: [1, 2, 4, 8])
    func pagesV2(_ size: Int) async throws {
        let gateway = try await gateway()
        var token: String?
        var seen: [String] = []
        for _ in 0..<20 {
            var query: [(String, String?)] = [("list-type", "2"), ("delimiter", "/"), ("max-keys", String(size))]
            if let token { query.append(("continuation-token", token)) }
            let answer = await gateway.send(.listObjectsV2, query: query)
            let page = answer.values("Contents", "Key") + answer.values("CommonPrefixes", "Prefix")
            #expect(answer.xml?.value("KeyCount") == String(page.count))
            seen += page
            token = answer.xml?.value("NextContinuationToken")
            if token == nil { break }
        }
        #expect(seen.count == 6)
        #expect(Set(seen) == ["a", "b/", "d", "e/", "ü", "z+ z"])
    }

    @Test("a listing begins after a key or a marker within a common prefix")
    func beginnings() async throws {
        let gateway = try await gateway()
        let after = await gateway.send(.listObjectsV2, query: [("start-after", "b/2")])
        #expect(after.values("Contents", "Key") == ["b/c/3", "d", "e//f", "z+ z", "ü"])
        #expect(after.xml?.value("StartAfter") == "b/2")
        let within = await gateway.send(.listObjects, query: [("marker", "b/1"), ("delimiter", "/")])
        #expect(within.values("CommonPrefixes", "Prefix") == ["b/", "e/"])
        let past = await gateway.send(.listObjects, query: [("marker", "b/"), ("delimiter", "/")])
        #expect(past.values("CommonPrefixes", "Prefix") == ["e/"])
    }

    @Test("owners are shown in version 2 when asked for")
    func fetchOwner() async throws {
        let gateway = try await gateway(["a"])
        #expect(await gateway.send(.listObjectsV2).xml?.child("Contents")?.child("Owner") == nil)
        let answer = await gateway.send(.listObjectsV2, query: [("fetch-owner", "true")])
        #expect(answer.xml?.child("Contents")?.child("Owner")?.value("ID") == "alice")
    }

    @Test("names are percent-encoded when asked for")
    func encoding() async throws {
        let gateway = try await gateway(["a b/ü", "\u{1}"])
        let answer = await gateway.send(.listObjects, query: [("encoding-type", "url"), ("delimiter", "/")])
        #expect(answer.values("Contents", "Key") == ["%01"])
        #expect(answer.values("CommonPrefixes", "Prefix") == ["a%20b/"])
        #expect(answer.xml?.value("EncodingType") == "url")
    }

    @Test("max-keys from 0 to 1,000; bad arguments")
    func arguments() async throws {
        let gateway = try await gateway()
        let none = await gateway.send(.listObjects, query: [("max-keys", "0")])
        #expect(none.values("Contents", "Key") == [])
        #expect(none.xml?.value("IsTruncated") == "false")
        #expect(await gateway.send(.listObjects, query: [("max-keys", "5000")]).xml?.value("MaxKeys") == "1000")
        for query in [("max-keys", "-1"), ("max-keys", "x"), ("encoding-type", "base64")] {
            #expect(await gateway.send(.listObjects, query: [query]).code == "InvalidArgument")
        }
        #expect(await gateway.send(.listObjectsV2, query: [("continuation-token", "x")]).code == "InvalidArgument")
        #expect(await gateway.send(.listObjects, as: .anonymous).code == "AccessDenied")
    }

    @Test("objects are their own null versions")
    func versions() async throws {
        let gateway = try await gateway(["a", "b/1"])
        let answer = await gateway.send(.listObjectVersions, query: [("delimiter", "/")])
        #expect(answer.values("Version", "Key") == ["a"])
        #expect(answer.values("Version", "VersionId") == ["null"])
        #expect(answer.values("Version", "IsLatest") == ["true"])
        #expect(answer.values("CommonPrefixes", "Prefix") == ["b/"])
        let page = await gateway.send(.listObjectVersions, query: [("max-keys", "1")])
        #expect(page.xml?.value("NextKeyMarker") == "a")
        #expect(page.xml?.value("NextVersionIdMarker") == "null")
    }
}
