import Checksums
import MessageBus
import Model
import NIOCore
import NIOHTTP1
import ObjectAccess
import S3Protocol
import Testing

@testable import Gateway

@Suite struct ObjectOperationsTests {
    @Test(
        "content of any size comes back as it was, with its MD5 as entity tag",
        arguments: [
            0, 1, 1000, Limits.chunkSize - 1, Limits.chunkSize, Limits.chunkSize + 1, 5 * Limits.chunkSize + 17,
        ])
    func roundTrip(_ size: Int) async throws {
        let gateway = try await TestGateway.withBucket()
        let bytes = pattern(size)
        let put = await gateway.put("a", bytes)
        #expect(put.status == 200)
        #expect(put.etag == "\"\(hexDigits(of: HashAlgorithm.md5.hash(bytes)))\"")
        let get = await gateway.get("a")
        #expect(get.status == 200)
        #expect(get.body == bytes)
        #expect(get.etag == put.etag)
        let head = await gateway.send(.headObject, .HEAD, key: "a")
        #expect(head.headers.first(name: "Content-Length") == String(size))
        #expect(head.body.isEmpty)
        #expect(gateway.storage.contents.withLock { $0.chunksUnderWayMax } <= 2)
    }

    @Test("a change that lets an object expire at once is done, however long it takes to write it")
    func expiry() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a")
        let bucket = try await gateway.operations.buckets.find("box")
        let request = S3Request(
            id: "request-1", method: .PUT, operation: .putObjectTagging, bucket: "box", key: "a", query: S3Query([]),
            headers: [:], identity: .alice, body: RequestBody(bytes: ByteBuffer()))
        let call = S3Call(
            request: request, bucket: bucket, bucketID: try #require(bucket.bucketID), context: MessageContext(),
            rules: try gateway.operations.rules(of: bucket), now: TestGateway.now, dependsOnObject: false)
        gateway.storage.contents.withLock { contents in
            contents.beforeUpdate = { [time = gateway.time] _ in time.pass(.seconds(2)) }
        }
        let end = TestGateway.now / 1000 + 1
        let changed = try await gateway.operations.changeObject(call) { $0.deleteAtSeconds = end }
        #expect(changed.deleteAtSeconds == end)
        #expect(await gateway.get("a").status == 404)
        await #expect(throws: S3Error.self) {
            try await gateway.operations.changeObject(call) { $0.deleteAtSeconds = 0 }
        }
    }

    @Test("headers and metadata are given back as they came")
    func headers() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put(
            "a",
            headers: [
                "Content-Type": "text/x-test", "Cache-Control": "no-cache", "Content-Disposition": "attachment",
                "Content-Encoding": "aws-chunked,gzip", "Content-Language": "de", "Expires": "tomorrow",
                "X-Amz-Meta-Color": "Blue", "x-amz-meta-empty": "", "x-amz-storage-class": "STANDARD_IA",
            ])
        let headers = await gateway.get("a").headers
        #expect(headers.first(name: "content-type") == "text/x-test")
        #expect(headers.first(name: "cache-control") == "no-cache")
        #expect(headers.first(name: "content-disposition") == "attachment")
        #expect(headers.first(name: "content-encoding") == "gzip")
        #expect(headers.first(name: "content-language") == "de")
        #expect(headers.first(name: "expires") == "tomorrow")
        #expect(headers.first(name: "x-amz-meta-color") == "Blue")
        #expect(headers.first(name: "x-amz-meta-empty") == "")
        #expect(headers.first(name: "x-amz-storage-class") == "STANDARD_IA")
        #expect(headers.first(name: "last-modified") == HTTPDate.format(TestGateway.now / 1000))
        await gateway.put("b")
        #expect(await gateway.get("b").headers.first(name: "content-type") == "binary/octet-stream")
        #expect(await gateway.get("b").headers.first(name: "x-amz-storage-class") == nil)
    }

    @Test("keys are any text: directories, Unicode, dots")
    func keys() async throws {
        let gateway = try await TestGateway.withBucket()
        for key in ["dir/", "dir//x", "ü/日本", "..", "a b+c%20", "\u{1}"] {
            await gateway.put(key, Array(key.utf8))
            #expect(await gateway.get(key).text == key)
        }
        #expect(await gateway.put(String(repeating: "k", count: 1025)).code == "KeyTooLongError")
    }

    @Test("two spellings of one Unicode text are two keys")
    func normalization() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("\u{E9}", [1])
        await gateway.put("e\u{301}", [2])
        #expect(await gateway.get("\u{E9}").body == [1])
        #expect(await gateway.get("e\u{301}").body == [2])
    }

    @Test(
        "what is asked for and cannot be done is refused, and nothing is stored",
        arguments: [
            ("x-amz-server-side-encryption", "rot13", "InvalidArgument"),
            ("x-amz-storage-class", "GOLD", "InvalidStorageClass"), ("x-amz-acl", "mine", "InvalidArgument"),
            ("x-amz-object-lock-mode", "GOVERNANCE", "InvalidRequest"),
            ("x-amz-meta-a", String(repeating: "x", count: 2048), "MetadataTooLarge"),
            ("if-none-match", "\"abc\"", "NotImplemented"), ("x-amz-grant-read", "id=nobody", "InvalidArgument"),
        ])
    func refused(_ header: String, _ value: String, _ code: String) async throws {
        let gateway = try await TestGateway.withBucket()
        #expect(await gateway.put("a", headers: [header: value]).code == code)
        #expect(await gateway.get("a").code == "NoSuchKey")
    }

    @Test("a missing object, an invalid version, a missing bucket")
    func missing() async throws {
        let gateway = try await TestGateway.withBucket()
        let answer = await gateway.get("nothing")
        #expect(answer.status == 404)
        #expect(answer.code == "NoSuchKey")
        #expect(answer.xml?.value("Key") == "nothing")
        #expect(answer.xml?.value("Resource") == "/box/nothing")
        #expect(answer.xml?.value("RequestId") == "request-1")
        await gateway.put("a")
        #expect(await gateway.get("a", query: [("versionId", "null")]).status == 200)
        #expect(await gateway.get("a", query: [("versionId", "x")]).code == "InvalidArgument")
        #expect(await gateway.send(.getObject, bucket: "nowhere", key: "a").code == "NoSuchBucket")
    }

    // MARK: - Conditions

    @Test("conditional reads")
    func conditionalReads() async throws {
        let gateway = try await TestGateway.withBucket()
        let etag = try #require(await gateway.put("a").etag)
        let same = await gateway.get("a", headers: ["If-None-Match": etag])
        #expect(same.status == 304)
        #expect(same.body.isEmpty)
        #expect(same.etag == etag)
        #expect(await gateway.get("a", headers: ["If-Match": "\"other\""]).code == "PreconditionFailed")
        #expect(await gateway.get("a", headers: ["If-Match": etag]).status == 200)
        let now = HTTPDate.format(TestGateway.now / 1000)
        #expect(await gateway.get("a", headers: ["If-Modified-Since": now]).status == 304)
        #expect(await gateway.get("a", headers: ["If-Unmodified-Since": now]).status == 200)
        #expect(await gateway.send(.headObject, .HEAD, key: "a", headers: ["If-None-Match": etag]).status == 304)
    }

    @Test("conditional writes and deletes")
    func conditionalWrites() async throws {
        let gateway = try await TestGateway.withBucket()
        #expect(await gateway.put("a", headers: ["If-Match": "\"x\""]).code == "NoSuchKey")
        let etag = try #require(await gateway.put("a", [1], headers: ["If-None-Match": "*"]).etag)
        let second = await gateway.put("a", [2], headers: ["If-None-Match": "*"])
        #expect(second.status == 412)
        #expect(second.code == "PreconditionFailed")
        #expect(await gateway.put("a", [3], headers: ["If-Match": "\"x\""]).status == 412)
        #expect(await gateway.get("a").body == [1])
        #expect(await gateway.put("a", [4], headers: ["If-Match": etag]).status == 200)
        #expect(await gateway.get("a").body == [4])
        let refused = await gateway.send(.deleteObject, .DELETE, key: "a", headers: ["If-Match": etag])
        #expect(refused.status == 412)
        #expect(await gateway.send(.deleteObject, .DELETE, key: "a").status == 204)
        #expect(await gateway.put("a", [5], headers: ["If-None-Match": "*"]).status == 200)
    }

    @Test("of many who create one key if it is absent, one succeeds")
    func race() async throws {
        let gateway = try await TestGateway.withBucket()
        let statuses = await withTaskGroup(of: Int.self) { group in
            for number in 0..<20 {
                group.addTask { await gateway.put("a", [UInt8(number)], headers: ["If-None-Match": "*"]).status }
            }
            return await group.reduce(into: [Int]()) { $0.append($1) }
        }
        #expect(statuses.filter { $0 == 200 }.count == 1)
        #expect(statuses.filter { $0 == 412 }.count == 19)
    }

    // MARK: - Ranges

    @Test("ranges within one blob and across chunks", arguments: [1000, 3 * Limits.chunkSize + 5])
    func ranges(_ size: Int) async throws {
        let gateway = try await TestGateway.withBucket()
        let bytes = pattern(size)
        await gateway.put("a", bytes)
        let last = size - 1
        let ranges: [(String, ClosedRange<Int>)] = [
            ("bytes=0-0", 0...0), ("bytes=10-19", 10...19), ("bytes=990-", 990...last), ("bytes=-7", (size - 7)...last),
            ("bytes=1-\(size * 2)", 1...last), ("bytes=0-\(last)", 0...last),
            ("bytes=\(size / 2 - 300)-\(size / 2 + 300)", (size / 2 - 300)...(size / 2 + 300)),
        ]
        for (header, range) in ranges {
            let answer = await gateway.get("a", headers: ["Range": header])
            #expect(answer.status == 206)
            #expect(answer.body == Array(bytes[range]))
            #expect(
                answer.headers.first(name: "Content-Range") == "bytes \(range.lowerBound)-\(range.upperBound)/\(size)")
        }
        let head = await gateway.send(.headObject, .HEAD, key: "a", headers: ["Range": "bytes=5-9"])
        #expect(head.status == 206)
        #expect(head.headers.first(name: "Content-Length") == "5")
    }

    @Test("a range beyond the end, several ranges, If-Range")
    func oddRanges() async throws {
        let gateway = try await TestGateway.withBucket()
        let etag = try #require(await gateway.put("a", pattern(10)).etag)
        let beyond = await gateway.get("a", headers: ["Range": "bytes=10-"])
        #expect(beyond.status == 416)
        #expect(beyond.code == "InvalidRange")
        #expect(beyond.xml?.value("ActualObjectSize") == "10")
        #expect(await gateway.get("a", headers: ["Range": "bytes=0-1,4-5"]).status == 200)
        #expect(await gateway.get("a", headers: ["Range": "bytes=0-1", "If-Range": etag]).status == 206)
        #expect(await gateway.get("a", headers: ["Range": "bytes=0-1", "If-Range": "\"x\""]).status == 200)
        await gateway.put("empty", [])
        #expect(await gateway.get("empty", headers: ["Range": "bytes=0-0"]).status == 416)
        #expect(await gateway.get("empty").status == 200)
    }

    @Test("the first part of what was put at once is all of it")
    func partNumbers() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a", pattern(10))
        let first = await gateway.get("a", query: [("partNumber", "1")])
        #expect(first.status == 206)
        #expect(first.body.count == 10)
        #expect(await gateway.get("a", query: [("partNumber", "2")]).code == "InvalidPartNumber")
        #expect(await gateway.get("a", query: [("partNumber", "0")]).code == "InvalidArgument")
        let both = await gateway.get("a", query: [("partNumber", "1")], headers: ["Range": "bytes=0-0"])
        #expect(both.code == "InvalidRequest")
    }

    @Test("signed requests may replace headers of the answer")
    func overrides() async throws {
        let gateway = try await TestGateway.withBucket(acl: "public-read")
        await gateway.put("a", headers: ["Content-Type": "text/plain", "x-amz-acl": "public-read"])
        let query: [(String, String?)] = [("response-content-type", "text/html"), ("response-expires", "")]
        #expect(await gateway.get("a", query: query).headers["content-type"] == ["text/html"])
        #expect(await gateway.get("a", query: query, as: .anonymous).code == "InvalidRequest")
        let injected = await gateway.get("a", query: [("response-content-disposition", "inline\r\nX: y")])
        #expect(injected.code == "InvalidArgument")
    }

    // MARK: - Access and failures

    @Test("an object with a list of its own is open in a private bucket")
    func objectLists() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("open", headers: ["x-amz-acl": "public-read"])
        await gateway.put("closed")
        #expect(await gateway.get("open", as: .anonymous).status == 200)
        #expect(await gateway.get("closed", as: .anonymous).code == "AccessDenied")
        #expect(await gateway.get("missing", as: .anonymous).code == "AccessDenied")
        #expect(await gateway.send(.putObjectAcl, .PUT, key: "open", headers: ["x-amz-acl": "private"]).status == 200)
        #expect(await gateway.get("open", as: .anonymous).code == "AccessDenied")
        #expect(await gateway.get("open").status == 200)
        let acl = await gateway.send(.getObjectAcl, key: "open")
        #expect(try AccessControlPolicy(parsing: acl.body).grants == [Grant(.user(id: "alice"), .fullControl)])
        #expect(await gateway.send(.getObjectTagging, key: "open").xml?.child("TagSet") != nil)
    }

    @Test(
        "failures of the storage as clients see them",
        arguments: [
            (AccessError.noQuorum("x"), 503, "ServiceUnavailable"), (.overloaded, 503, "SlowDown"),
            (.outcomeUnknown, 503, "ServiceUnavailable"), (.diskFull, 507, "InsufficientStorage"),
            (.deadlineExceeded, 503, "ServiceUnavailable"), (.notReady("x"), 503, "ServiceUnavailable"),
            (.damaged("x"), 500, "InternalError"),
        ] as [(AccessError, Int, String)])
    func failures(_ error: AccessError, _ status: Int, _ code: String) async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a")
        gateway.storage.fail(error)
        let answer = await gateway.get("a")
        #expect(answer.status == status)
        #expect(answer.code == code)
        #expect(await gateway.put("b", pattern(2 << 20)).status == status)
        gateway.storage.fail(nil)
        #expect(await gateway.get("b").code == "NoSuchKey")
    }

    @Test("a chunk that is missing is an error before the answer, or breaks it off")
    func missingChunk() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a", pattern(4 << 20))
        func remove(_ index: UInt32) {
            gateway.storage.contents.withLock { contents in
                contents.chunks = contents.chunks.filter { $0.key.index != index }
            }
        }
        remove(3)
        let late = await gateway.get("a")
        #expect(late.status == 200)
        #expect(late.broken)
        remove(0)
        #expect(await gateway.get("a").status == 500)
    }

    @Test("an object that was replaced since its register was read is answered as it is now")
    func replacedWhileRead() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a", pattern(4 << 20))
        gateway.storage.contents.withLock { contents in
            contents.beforeGet = {
                gateway.storage.contents.withLock { contents in
                    contents.beforeGet = nil
                    contents.chunks = [:]
                }
                await gateway.put("a", pattern(2 << 20, seed: 1))
            }
        }
        #expect(await gateway.get("a").body == pattern(2 << 20, seed: 1))
    }

    // MARK: - Delete

    @Test("deleting is the same the second time")
    func delete() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a")
        for _ in 0..<2 { #expect(await gateway.send(.deleteObject, .DELETE, key: "a").status == 204) }
        #expect(await gateway.get("a").status == 404)
        #expect(await gateway.send(.deleteObject, .DELETE, key: "never").status == 204)
        #expect(gateway.storage.contents.withLock { $0.registers.count } == 1)
    }

    @Test("many keys are deleted at once, each with its own outcome")
    func deleteMany() async throws {
        let gateway = try await TestGateway.withBucket()
        for number in 0..<40 { await gateway.put("k\(number)", []) }
        let objects = (0..<40).map { "<Object><Key>k\($0)</Key></Object>" }.joined()
        let long = String(repeating: "x", count: 1025)
        let body = "<Delete>\(objects)<Object><Key>\(long)</Key></Object><Object><Key>none</Key></Object></Delete>"
        let answer = await gateway.send(
            .deleteObjects, .POST, headers: ["Content-MD5": "checked elsewhere"], body: Array(body.utf8))
        #expect(answer.status == 200)
        #expect(answer.values("Deleted", "Key") == (0..<40).map { "k\($0)" } + ["none"])
        #expect(answer.values("Error", "Code") == ["KeyTooLongError"])
        #expect(await gateway.send(.listObjects).values("Contents", "Key") == [])
    }

    @Test("quiet deletion answers errors only; it must be protected by a checksum")
    func deleteQuietly() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("a")
        let body = Array("<Delete><Quiet>true</Quiet><Object><Key>a</Key></Object></Delete>".utf8)
        #expect(await gateway.send(.deleteObjects, .POST, body: body).code == "InvalidRequest")
        #expect(await gateway.get("a").status == 200)
        let answer = await gateway.send(
            .deleteObjects, .POST, headers: ["x-amz-checksum-crc32": "x"], body: body)
        #expect(answer.xml?.children == [])
        #expect(await gateway.get("a").status == 404)
        let bad = await gateway.send(.deleteObjects, .POST, headers: ["Content-MD5": "x"], body: Array("<D/>".utf8))
        #expect(bad.code == "MalformedXML")
        #expect(bad.status == 400)
    }
}
