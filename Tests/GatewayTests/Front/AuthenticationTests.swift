import Checksums
import Foundation
import NIOCore
import S3Protocol
import Signatures
import Testing
import Wire

@testable import Gateway

@Suite(.timeLimit(.minutes(1))) struct AuthenticationTests {
    static let payloads = [
        "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
        "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", String(repeating: "0", count: 64),
    ]

    @Test("every operation with a bad signature is refused in every payload mode, before its handler")
    func matrix() async throws {
        try await LoopbackGateway.run { gateway in
            let client = try await gateway.connect()
            var targets = [
                ("GET", "/"), ("GET", "/b"), ("PUT", "/b/k"), ("GET", "/b/k"), ("DELETE", "/b/k"),
                ("POST", "/b?delete"),
            ]
            targets +=
                SubResources.bucket.keys.map { ("GET", "/b?\($0)") }
                + SubResources.object.keys.map { ("PUT", "/b/k?\($0)") }
            for (method, target) in targets {
                for payload in Self.payloads {
                    let headers = [("x-amz-decoded-content-length", "0")]
                    let good = try LoopbackGateway.signed(method, target, headers: headers, payload: payload).text
                    let bad = good.replacing(/Signature=..../, with: "Signature=0000")
                    let noKey = good.replacing("Credential=AKIDEXAMPLE", with: "Credential=NOBODY")
                    let twice = good.replacing(
                        " HTTP/1.1", with: (target.contains("?") ? "&" : "?") + "X-Amz-Signature=0 HTTP/1.1")
                    for (text, status) in [(bad, 403), (noKey, 403), (twice, 400)] {
                        client.send(text)
                        let answer = try await client.answer()
                        #expect(answer.status == status, "\(method) \(target) \(payload): \(answer)")
                    }
                }
            }
            client.close()
            #expect(gateway.handler.requests.isEmpty)
            #expect(gateway.metrics.render().contains("martlet_auth_failures_total{reason=\"SignatureDoesNotMatch\"}"))
        }
    }

    @Test("what is refused before its handler is noted with its bucket and key; what is handed over is not")
    func refusals() async throws {
        try await LoopbackGateway.run { gateway in
            let good = try LoopbackGateway.signed("GET", "/b/k%20x?versionId=v").text
            _ = try await gateway.exchange(good)
            _ = try await gateway.exchange(good.replacing(/Signature=..../, with: "Signature=0000"))
            let digest = [("Content-MD5", "not base64")]
            _ = try await gateway.exchange(try LoopbackGateway.signed("PUT", "/b/k", headers: digest, body: "x").text)
            let refusals = gateway.handler.refusals
            #expect(gateway.handler.requests.count == 1)
            #expect(refusals.map(\.code) == [.signatureDoesNotMatch, .invalidDigest])
            #expect(refusals.map(\.status) == [403, 400])
            #expect(refusals.map(\.request.key) == ["k x", "k"])
            #expect(refusals.map(\.request.operation) == [.getObject, .putObject])
            #expect(refusals.map(\.request.identity.userID) == [nil, "alice"], "only who is proved is named")
            #expect(refusals.allSatisfy { $0.request.bucket == "b" && $0.request.remote == "127.0.0.1" })
        }
    }

    @Test("a good signature makes a user, none an anonymous request")
    func identities() async throws {
        try await LoopbackGateway.run { gateway in
            _ = try await gateway.exchange(try LoopbackGateway.signed("GET", "/b/k?list-type=2&prefix=a%20b").text)
            _ = try await gateway.exchange("GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n")
            let identities = gateway.handler.requests.map(\.identity)
            #expect(identities == [.user(LoopbackGateway.user), .anonymous])
        }
    }

    @Test("a user who was just made is known after one look at the manager")
    func newUser() async throws {
        let cluster = FixedCluster(users: [], afterRefresh: [LoopbackGateway.user])
        try await LoopbackGateway.run(cluster: cluster) { gateway in
            let request = try LoopbackGateway.signed("GET", "/b/k").text
            #expect(try await gateway.exchange(request).status == 200)
        }
    }

    @Test("bodies: what the client says about them is verified at their end")
    func bodies() async throws {
        let body = "hello"
        let md5 = Base64.encode(HashAlgorithm.md5.hash(body))
        let sha256 = HashAlgorithm.sha256.hash(body)
        let hex = sha256.map { String($0, radix: 16).count == 1 ? "0" + String($0, radix: 16) : String($0, radix: 16) }
            .joined()
        let cases: [(headers: [(String, String)], payload: String, code: String)] = [
            ([("Content-MD5", md5)], hex, ""),
            ([("Content-MD5", Base64.encode([UInt8](repeating: 0, count: 16)))], hex, "BadDigest"),
            ([("Content-MD5", "nonsense")], hex, "InvalidDigest"),
            ([], String(repeating: "0", count: 64), "XAmzContentSHA256Mismatch"),
            ([], "nonsense", "InvalidArgument"),
            ([("x-amz-checksum-sha256", Base64.encode(sha256))], "UNSIGNED-PAYLOAD", ""),
            ([("x-amz-checksum-crc32", "AAAAAA==")], "UNSIGNED-PAYLOAD", "BadDigest"),
            ([("x-amz-checksum-crc32", "AAAA")], "UNSIGNED-PAYLOAD", "InvalidRequest"),
            ([("x-amz-trailer", "x-amz-checksum-crc32")], "UNSIGNED-PAYLOAD", "InvalidRequest"),
        ]
        try await LoopbackGateway.run { gateway in
            for (headers, payload, code) in cases {
                let request = try LoopbackGateway.signed("PUT", "/b/k", headers: headers, payload: payload, body: body)
                    .text
                let answer = try await gateway.exchange(request)
                #expect(answer.code == code, "\(headers) \(payload)")
            }
            let empty = try LoopbackGateway.signed("GET", "/b/k", payload: String(repeating: "1", count: 64)).text
            #expect(try await gateway.exchange(empty).code == "XAmzContentSHA256Mismatch")
            let noLength = try LoopbackGateway.signed("PUT", "/b/k").text
            #expect(try await gateway.exchange(noLength).status == 411)
            let huge =
                "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: \((5 << 30) + 1)\r\nExpect: 100-continue\r\n\r\n"
            #expect(try await gateway.exchange(huge).code == "EntityTooLarge")
        }
    }

    private func chunked(
        _ payload: String, body: String, trailer: [(name: String, value: String)], headers: [(String, String)] = [],
        mutate: (inout String) -> Void = { _ in }
    ) throws -> String {
        let all =
            headers + [
                ("x-amz-decoded-content-length", String(body.utf8.count)), ("Content-Encoding", "aws-chunked,gzip"),
            ]
            + trailer.map { ("x-amz-trailer", $0.name) }
        let (head, signer) = try LoopbackGateway.signed("PUT", "/b/k", headers: all, payload: payload)
        var encoder = ChunkedEncoder(signer: payload.contains("UNSIGNED") ? nil : signer)
        var framed = String(buffer: encoder.chunk(ByteBuffer(string: body)))
        framed += String(buffer: encoder.end(trailer: trailer))
        mutate(&framed)
        return head.dropLast() + "Content-Length: \(framed.utf8.count)\r\n\r\n" + framed
    }

    @Test("aws-chunked bodies in their three forms, with trailers verified")
    func streaming() async throws {
        let crc = ChecksumComputation.of("hello", .crc32)
        let good = [(name: "x-amz-checksum-crc32", value: Base64.encode(crc))]
        let wrong = [(name: "x-amz-checksum-crc32", value: "AAAAAA==")]
        try await LoopbackGateway.run { gateway in
            for (payload, trailer) in [
                ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD", []), ("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", good),
                ("STREAMING-UNSIGNED-PAYLOAD-TRAILER", good),
            ] {
                let answer = try await gateway.exchange(try chunked(payload, body: "hello", trailer: trailer))
                #expect(answer.body == "putObject b k 5")
                let request = try #require(gateway.handler.requests.last)
                #expect(request.headers["content-encoding"] == ["gzip"])
                #expect(request.body.declaredLength == 5)
                #expect(request.body.digests.md5 == HashAlgorithm.md5.hash("hello"))
                #expect(request.body.digests.checksums["crc32"] == (trailer.isEmpty ? nil : crc))
                let altered = try await gateway.exchange(
                    try chunked(payload, body: "hello", trailer: trailer) { $0 = $0.replacing("hello", with: "jello") })
                #expect(altered.code == (payload.contains("UNSIGNED") ? "BadDigest" : "SignatureDoesNotMatch"))
                let longer = try await gateway.exchange(
                    try chunked(payload, body: "hello", trailer: trailer) { $0 += "x" })
                #expect(longer.code == "InvalidRequest")
            }
            let unknown = [(name: "x-amz-meta-x", value: "1")]
            for (trailer, code) in [(wrong, "BadDigest"), (unknown, "InvalidRequest")] {
                let request = try chunked("STREAMING-UNSIGNED-PAYLOAD-TRAILER", body: "hello", trailer: trailer)
                #expect(try await gateway.exchange(request).code == code)
            }
        }
    }

    @Test("the access log has a line for each request and no secrets")
    func accessLog() async throws {
        let path = FileManager.default.temporaryDirectory.appendingPathComponent(
            "access-\(UInt64.random(in: 0...(.max))).log"
        ).path
        defer { try? FileManager.default.removeItem(atPath: path) }
        let log = try #require(try AccessLog(destination: path))
        try await LoopbackGateway.run(log: log) { gateway in
            let signer = RequestSigner(accessKeyID: LoopbackGateway.accessKey, secret: LoopbackGateway.secret)
            let request = SignableRequest(method: "GET", rawPath: "/b/k%22%0A", headers: [.init("Host", "localhost")])
            let query = try signer.presignV4(request, validFor: 60, at: LoopbackGateway.time)
            let client = try await gateway.connect()
            for _ in 0..<3 {
                client.send("GET /b/k%22%0A?\(query) HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \"x\\\r\n\r\n")
                _ = try await client.answer()
            }
            client.close()
        }
        await log.close()
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n")
        #expect(lines.count == 3)
        for line in lines {
            let entry = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
            #expect(entry["operation"] as? String == "getObject")
            #expect(entry["status"] as? Int == 200)
            #expect(entry["user"] as? String == "alice")
            #expect(entry["path"] as? String == "/b/k%22%0A")
            #expect(!line.contains("Signature") && !line.contains("AKIDEXAMPLE"))
        }
        #expect(try AccessLog(destination: "off") == nil)
    }
}

extension ChecksumComputation {
    fileprivate static func of(_ text: String, _ algorithm: ChecksumAlgorithm) -> [UInt8] {
        var computation = ChecksumComputation(algorithm)
        computation.update(text)
        return computation.finish()
    }
}
