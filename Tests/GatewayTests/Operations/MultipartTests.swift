import Checksums
import Model
import NIOHTTP1
import S3Protocol
import Synchronization
import Testing
import Wire

@testable import Gateway

/// One upload under test.
private struct Upload {
    let gateway: TestGateway
    let key: String
    let id: String

    init(_ gateway: TestGateway, _ key: String = "big", headers: HTTPHeaders = [:]) async throws {
        self.gateway = gateway
        self.key = key
        let answer = await gateway.send(.createMultipartUpload, .POST, key: key, headers: headers)
        id = try #require(answer.xml?.value("UploadId"))
    }

    @discardableResult
    func put(_ number: Int, _ body: [UInt8], headers: HTTPHeaders = [:]) async -> String {
        let answer = await send(.uploadPart, number, headers: headers, body: body)
        return answer.etag ?? answer.code ?? ""
    }

    func send(
        _ operation: S3Operation, _ number: Int? = nil, query: [(String, String?)] = [], headers: HTTPHeaders = [:],
        body: [UInt8] = []
    ) async -> Answer {
        var query = query + [("uploadId", id)]
        if let number { query.append(("partNumber", String(number))) }
        return await gateway.send(operation, .POST, key: key, query: query, headers: headers, body: body)
    }

    func complete(_ parts: [(Int, String)], headers: HTTPHeaders = [:]) async -> Answer {
        let elements = parts.map { "<Part><PartNumber>\($0.0)</PartNumber><ETag>\($0.1)</ETag></Part>" }.joined()
        let body = "<CompleteMultipartUpload>\(elements)</CompleteMultipartUpload>"
        return await send(.completeMultipartUpload, headers: headers, body: Array(body.utf8))
    }

    func abort() async -> Answer { await send(.abortMultipartUpload) }

    func name() throws -> UploadName {
        let bucket = try #require(gateway.cluster.view.buckets["box"]?.bucketID)
        return UploadName(bucket: bucket, key: Array(key.utf8), id: try #require(OperationID(hex: id)))
    }
}

extension TestGateway {
    /// The live registers of parts.
    fileprivate var parts: [PartRecord] {
        storage.contents.withLock { contents in
            contents.registers.filter { $0.key.keyspace == .parts && $0.value.isLive }
                .compactMap { try? PartRecord(stored: $0.value.record!) }
        }
    }
}

private final class Observed<Value: Sendable>: Sendable {
    private let state = Mutex<Value?>(nil)

    var value: Value? { state.withLock { $0 } }
    func set(_ value: Value) { state.withLock { $0 = value } }
}

@Suite struct MultipartTests {
    private let five = pattern(5 << 20)
    private let rest = pattern(1000, seed: 5)

    private func expectedETag(_ parts: [[UInt8]]) -> String {
        let digests = parts.flatMap { HashAlgorithm.md5.hash($0) }
        return "\"\(hexDigits(of: HashAlgorithm.md5.hash(digests)))-\(parts.count)\""
    }

    @Test("parts become one object, in the order of their numbers")
    func complete() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway, headers: ["Content-Type": "x/y", "x-amz-meta-k": "v"])
        let second = await upload.put(9, rest)
        let first = await upload.put(2, five)
        #expect(await gateway.get("big").code == "NoSuchKey")
        let answer = await upload.complete([(2, first), (9, second)])
        #expect(answer.status == 200)
        #expect(answer.xml?.value("ETag") == expectedETag([five, rest]))
        #expect(answer.xml?.value("Key") == "big")
        let got = await gateway.get("big")
        #expect(got.body == five + rest)
        #expect(got.etag == expectedETag([five, rest]))
        #expect(got.headers.first(name: "content-type") == "x/y")
        #expect(got.headers.first(name: "x-amz-meta-k") == "v")
        #expect(await gateway.send(.listMultipartUploads).xml?.children("Upload").count == 0)
        #expect(await upload.put(1, rest) == "NoSuchUpload")
        let range = await gateway.get("big", headers: ["Range": "bytes=5242870-5242889"])
        #expect(range.body == Array((five + rest)[5_242_870...5_242_889]))
        let part = await gateway.get("big", query: [("partNumber", "2")])
        #expect(part.body == rest)
        #expect(part.headers.first(name: "x-amz-mp-parts-count") == "2")
    }

    @Test("a part may be replaced; only the parts that are named count")
    func replaced() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let old = await upload.put(1, rest)
        let new = await upload.put(1, Array("new".utf8))
        await upload.put(2, rest)
        #expect(await upload.complete([(1, old)]).code == "InvalidPart")
        #expect(await upload.complete([(1, new)]).status == 200)
        #expect(await gateway.get("big").text == "new")
    }

    @Test("what does not fit together is refused, and the upload goes on")
    func refused() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let one = await upload.put(1, rest)
        let two = await upload.put(2, rest)
        #expect(await upload.complete([(1, one), (2, two)]).code == "EntityTooSmall")
        #expect(await upload.complete([(1, one), (3, two)]).code == "InvalidPart")
        #expect(await upload.complete([(2, two), (1, one)]).code == "InvalidPartOrder")
        #expect(await upload.complete([]).code == "MalformedXML")
        #expect(await upload.send(.uploadPart, 0).code == "InvalidArgument")
        #expect(await upload.send(.uploadPart, 10_001).code == "InvalidArgument")
        #expect(await gateway.get("big").code == "NoSuchKey")
        #expect(await upload.complete([(2, two)]).status == 200)
    }

    @Test("completing again answers the same; over a newer object it changes nothing")
    func idempotent() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        let first = await upload.complete([(1, etag)])
        let second = await upload.complete([(1, etag)])
        #expect(second.status == 200)
        #expect(second.xml?.value("ETag") == first.xml?.value("ETag"))
        await gateway.put("big", [7])
        #expect(await upload.complete([(1, etag)]).code == "NoSuchUpload")
        #expect(await gateway.get("big").body == [7])
    }

    @Test("a completion that is repeated after a crash does not write over what came later")
    func crash() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        let bucket = try #require(gateway.cluster.view.buckets["box"]?.bucketID)
        let id = try #require(OperationID(hex: upload.id))
        let register = UploadName(bucket: bucket, key: Array("big".utf8), id: id).register
        let before = gateway.storage.contents.withLock { $0.registers[register] }
        #expect(await upload.complete([(1, etag)]).status == 200)
        await gateway.put("big", [7])
        // As if the gateway had died before it removed the upload.
        let part = try #require(before)
        gateway.storage.contents.withLock { contents in
            contents.registers[register] = part
            for (name, state) in contents.registers where name.keyspace == .parts {
                var state = state
                state.record =
                    PartRecord(
                        version: 1, number: 1, size: 1000, etag: String(etag.dropFirst().dropLast())
                    ).stored
                contents.registers[name] = state
            }
        }
        #expect(await upload.complete([(1, etag)]).status == 200)
        #expect(await gateway.get("big").body == [7])
    }

    @Test("an aborted upload is gone")
    func abort() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        #expect(await upload.abort().status == 204)
        #expect(await upload.abort().code == "NoSuchUpload")
        #expect(await upload.complete([(1, etag)]).code == "NoSuchUpload")
        #expect(await upload.put(2, rest) == "NoSuchUpload")
        #expect(await upload.send(.listParts).code == "NoSuchUpload")
        #expect(await gateway.get("big").code == "NoSuchKey")
        #expect(gateway.storage.contents.withLock { $0.registers.values.allSatisfy { !$0.isLive } })
    }

    @Test("of abort and complete at the same time one wins", arguments: 0..<10)
    func race(_ round: Int) async throws {
        let gateway = try await TestGateway.withBucket()
        gateway.storage.contents.withLock { $0.beforeUpdate = { _ in await Task.yield() } }
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        async let completed = upload.complete([(1, etag)])
        async let aborted = upload.abort()
        let (complete, abort) = await (completed, aborted)
        let exists = await gateway.get("big").status == 200
        #expect((complete.status == 200) == exists)
        #expect((complete.status == 200) != (abort.status == 204))
    }

    // MARK: - Half completed uploads

    /// Puts an upload into the state that a gateway leaves that dies after the first step of its completion.
    private func leaveCompleting(_ upload: Upload) throws {
        let name = try upload.name()
        upload.gateway.storage.contents.withLock { contents in
            var record = try! UploadRecord(stored: contents.registers[name.register]!.record!)
            record.state = .uploadCompleting
            contents.registers[name.register]!.record = record.stored
        }
    }

    @Test("a completion that died before it wrote the object can be repeated")
    func completeHalfCompleted() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        try leaveCompleting(upload)
        #expect(await upload.complete([(1, etag)]).status == 200)
        #expect(await gateway.get("big").body == rest)
    }

    @Test(
        "a completion that died before it wrote the object can be aborted, and never happens then",
        arguments: [false, true])
    func abortHalfCompleted(exists: Bool) async throws {
        let gateway = try await TestGateway.withBucket()
        if exists { await gateway.put("big", [7]) }
        let before = await gateway.send(.headObject, .HEAD, key: "big")
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        try leaveCompleting(upload)
        #expect(await upload.abort().status == 204)
        #expect(await upload.abort().code == "NoSuchUpload")
        #expect(await upload.complete([(1, etag)]).code == "NoSuchUpload")
        let after = await gateway.send(.headObject, .HEAD, key: "big")
        #expect(after.status == (exists ? 200 : 404))
        #expect(after.headers == before.headers)
        #expect(await gateway.send(.listMultipartUploads).values("Upload", "Key").isEmpty)
        #expect(gateway.parts.isEmpty)
    }

    @Test(
        "a completion that died after it wrote the object is not undone by an abort, which cleans up",
        arguments: [false, true])
    func abortCompleted(overwritten: Bool) async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        let left = gateway.storage.contents.withLock { contents in
            contents.registers.filter { $0.key.keyspace != .objects }
        }
        #expect(await upload.complete([(1, etag)]).status == 200)
        gateway.storage.contents.withLock { $0.registers.merge(left) { $1 } }
        try leaveCompleting(upload)
        if overwritten { await gateway.put("big", [7]) }
        #expect(await upload.abort().code == "NoSuchUpload")
        #expect(await gateway.get("big").body == (overwritten ? [7] : rest))
        #expect(gateway.parts.isEmpty)
        #expect(await gateway.send(.listMultipartUploads).values("Upload", "Key").isEmpty)
    }

    @Test("an abort that comes between the steps of a completion wins")
    func abortBetween() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        let aborted = Observed<Int>()
        gateway.storage.contents.withLock { contents in
            contents.beforeUpdate = { [storage = gateway.storage] register in
                guard register.keyspace == .objects else { return }
                storage.contents.withLock { $0.beforeUpdate = nil }
                aborted.set(await upload.abort().status)
            }
        }
        #expect(await upload.complete([(1, etag)]).code == "NoSuchUpload")
        #expect(aborted.value == 204)
        #expect(await gateway.get("big").status == 404)
        #expect(await gateway.send(.listMultipartUploads).values("Upload", "Key").isEmpty)
        #expect(gateway.parts.isEmpty)
    }

    @Test("a completion that takes too long between parts and object is refused whole, and can be repeated")
    func late() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        gateway.storage.contents.withLock { contents in
            contents.beforeUpdate = { [time = gateway.time] register in
                if register.keyspace == .objects { time.pass(S3Operations.completionTimeMax) }
            }
        }
        let answer = await upload.complete([(1, etag)])
        #expect(answer.status == 503)
        #expect(answer.code == "ServiceUnavailable")
        gateway.storage.contents.withLock { $0.beforeUpdate = nil }
        #expect(await gateway.get("big").status == 404)
        #expect(await upload.put(2, rest).hasPrefix("\""))
        #expect(await upload.complete([(1, etag)]).status == 200)
        #expect(await gateway.get("big").body == rest)
    }

    @Test("a completion whose time is over after an attempt that may have taken effect is not taken back")
    func lateRepetition() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        gateway.storage.contents.withLock { contents in
            contents.beforeUpdate = { [time = gateway.time, storage = gateway.storage] register in
                guard register.keyspace == .objects else { return }
                storage.contents.withLock { contents in
                    contents.beforeRepetition = { time.pass(S3Operations.completionTimeMax) }
                }
            }
        }
        let answer = await upload.complete([(1, etag)])
        #expect(answer.status == 503)
        #expect(answer.text.contains("unknown"))
        gateway.storage.contents.withLock { contents in
            contents.beforeUpdate = nil
            contents.beforeRepetition = nil
        }
        #expect(await upload.put(2, rest) == "NoSuchUpload", "still being completed")
        #expect(await upload.complete([(1, etag)]).status == 200)
        #expect(await gateway.get("big").body == rest)
    }

    // MARK: - Registers of parts

    @Test("a part knows the key of its object, and its register goes with the upload")
    func partRegisters() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        await upload.put(2, rest)
        #expect(gateway.parts.map(\.objectKey) == [Array("big".utf8), Array("big".utf8)])
        #expect(await upload.complete([(1, etag)]).status == 200)
        #expect(gateway.parts.isEmpty)
        #expect(await gateway.get("big").body == rest)
    }

    @Test("a part whose upload ends while it is written does not stay", arguments: [false, true])
    func endsMeanwhile(atTheLastMoment: Bool) async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        gateway.storage.contents.withLock { contents in
            contents.beforeUpdate = { [storage = gateway.storage] register in
                guard register.keyspace == .parts, atTheLastMoment else { return }
                storage.contents.withLock { $0.beforeUpdate = nil }
                _ = await upload.abort()
            }
        }
        let body = RequestBody(five) { if !atTheLastMoment { _ = await upload.abort() } }
        let answer = await gateway.send(
            .uploadPart, .PUT, key: "big", query: [("uploadId", upload.id), ("partNumber", "1")], content: body)
        #expect(answer.code == "NoSuchUpload")
        #expect(gateway.parts.isEmpty)
        await gateway.operations.abandoned.settle()
        // What a register has referred to is released by the change of the register, not dropped here.
        #expect(gateway.storage.contents.withLock { $0.dropped.count } == (atTheLastMoment ? 0 : 5))
    }

    @Test("an unknown upload id", arguments: ["", "x", "0123456789abcdef0123456789abcdef"])
    func unknown(_ id: String) async throws {
        let gateway = try await TestGateway.withBucket()
        for operation in [S3Operation.uploadPart, .listParts, .abortMultipartUpload] {
            let answer = await gateway.send(
                operation, .PUT, key: "big", query: [("uploadId", id), ("partNumber", "1")])
            #expect(answer.code == "NoSuchUpload")
            #expect(answer.status == 404)
        }
    }

    @Test("a condition on the completion")
    func condition() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("big", [7])
        let upload = try await Upload(gateway)
        let etag = await upload.put(1, rest)
        #expect(await upload.complete([(1, etag)], headers: ["If-None-Match": "*"]).code == "PreconditionFailed")
        #expect(await gateway.get("big").body == [7])
        #expect(await upload.complete([(1, etag)]).status == 200)
        let other = try await Upload(gateway)
        await other.put(1, rest)
        #expect(await other.complete([(1, etag)], headers: ["If-None-Match": "*"]).status == 412)
        #expect(await other.abort().status == 204)
    }

    @Test("parts are copied, whole or a range of the source")
    func partCopy() async throws {
        let gateway = try await TestGateway.withBucket()
        await gateway.put("source", five)
        let upload = try await Upload(gateway)
        let whole = await upload.send(.uploadPartCopy, 1, headers: ["x-amz-copy-source": "box/source"])
        #expect(whole.xml?.name == "CopyPartResult")
        let range = await upload.send(
            .uploadPartCopy, 2,
            headers: ["x-amz-copy-source": "box/source", "x-amz-copy-source-range": "bytes=1048000-2098000"])
        let bad = await upload.send(
            .uploadPartCopy, 3,
            headers: ["x-amz-copy-source": "box/source", "x-amz-copy-source-range": "bytes=0-5242880"])
        #expect(bad.code == "InvalidArgument")
        let etags = [whole, range].compactMap { $0.xml?.value("ETag") }
        #expect(await upload.complete([(1, etags[0]), (2, etags[1])]).status == 200)
        #expect(await gateway.get("big").body == five + five[1_048_000...2_098_000])
    }

    @Test("parts are listed in pages")
    func listParts() async throws {
        let gateway = try await TestGateway.withBucket()
        let upload = try await Upload(gateway)
        for number in [300, 1, 2, 10_000] { await upload.put(number, [UInt8(truncatingIfNeeded: number)]) }
        let first = await upload.send(.listParts, query: [("max-parts", "3")])
        #expect(first.values("Part", "PartNumber") == ["1", "2", "300"])
        #expect(first.xml?.value("IsTruncated") == "true")
        #expect(first.xml?.value("NextPartNumberMarker") == "300")
        let second = await upload.send(.listParts, query: [("part-number-marker", "300")])
        #expect(second.values("Part", "PartNumber") == ["10000"])
        #expect(second.xml?.value("IsTruncated") == "false")
    }

    @Test("uploads are listed with prefix, delimiter and markers")
    func listUploads() async throws {
        let gateway = try await TestGateway.withBucket()
        for key in ["a", "a", "b/1", "b/2", "c"] { _ = try await Upload(gateway, key) }
        let all = await gateway.send(.listMultipartUploads)
        #expect(all.values("Upload", "Key") == ["a", "a", "b/1", "b/2", "c"])
        let rolled = await gateway.send(.listMultipartUploads, query: [("delimiter", "/")])
        #expect(rolled.values("Upload", "Key") == ["a", "a", "c"])
        #expect(rolled.values("CommonPrefixes", "Prefix") == ["b/"])
        #expect(await gateway.send(.listMultipartUploads, query: [("prefix", "b/")]).values("Upload", "Key").count == 2)
        var query: [(String, String?)] = [("max-uploads", "1"), ("delimiter", "/")]
        var seen: [String] = []
        for _ in 0..<10 {
            let page = await gateway.send(.listMultipartUploads, query: query)
            seen += page.values("Upload", "Key") + page.values("CommonPrefixes", "Prefix")
            guard page.xml?.value("IsTruncated") == "true" else { break }
            query = [
                ("max-uploads", "1"), ("delimiter", "/"), ("key-marker", page.xml?.value("NextKeyMarker")),
                ("upload-id-marker", page.xml?.value("NextUploadIdMarker")),
            ]
        }
        #expect(seen == ["a", "a", "b/", "c"])
    }

    @Test("checksums of parts add up to the checksum of the object")
    func checksums() async throws {
        let parts = [five, rest]
        let crc = { (bytes: [UInt8]) in withUnsafeBytes(of: crc32(bytes).bigEndian) { Array($0) } }
        let fields = parts.enumerated().map { index, bytes in
            PartRecord(
                version: 1, number: UInt32(index + 1), size: UInt64(bytes.count),
                checksums: [HeaderField(name: "CRC32", value: Base64.encode(crc(bytes)))])
        }
        let composite = MultipartChecksum(
            UploadRecord(checksumAlgorithm: "CRC32", checksumType: "COMPOSITE"), fields)
        #expect(composite?.value == Base64.encode(crc(parts.flatMap(crc))) + "-2")
        let full = MultipartChecksum(UploadRecord(checksumAlgorithm: "CRC32", checksumType: "FULL_OBJECT"), fields)
        #expect(full?.value == Base64.encode(crc(five + rest)))
        #expect(throws: S3Error.self) { try full?.check(["x-amz-checksum-crc32": "AAAAAA=="]) }
        #expect(MultipartChecksum(UploadRecord(), fields) == nil)
    }
}
