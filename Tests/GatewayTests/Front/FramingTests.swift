import S3Protocol
import Testing

@testable import Gateway

/// Requests made to be understood differently by two servers, or to exhaust one.
@Suite(.timeLimit(.minutes(1))) struct FramingTests {
    @Test(
        "requests whose end is ambiguous are refused, and nothing behind them is served",
        arguments: [
            "POST /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            "POST /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nabcd",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\nabcd",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 4, 4\r\n\r\nabcd",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: +4\r\n\r\nabcd",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 0x4\r\n\r\nabcd",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: -4\r\n\r\nabcd",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 99999999999999999999\r\n\r\nabcd",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
            "PUT /b/k HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
            "GET /b/k HTTP/1.1\r\nHost: h\r\nHost: other\r\n\r\n",
            "GET /b/k HTTP/1.1\r\n\r\n",
            "GET /b/k HTTP/1.1\r\nHost: h\r\n folded: x\r\n\r\n",
            "GET /b/k HTTP/1.1\r\nHost: h\r\nX-A: b\r\n\tfolded\r\n\r\n",
            "GET /b/k HTTP/1.1\nHost: h\n\n",
            "GET /b/k HTTP/1.1\r\nHost: h\r\nX\0Y: b\r\n\r\n",
            "GET /b/k HTTP/1.1\r\nHost: h\r\nX: a\0b\r\n\r\n",
            "GET /b/k HTTP/2.0\r\nHost: h\r\n\r\n",
            "GARBAGE\r\n\r\n",
            "\u{16}\u{3}\u{1}\r\n\r\n",
        ])
    func smuggling(text: String) async throws {
        try await LoopbackGateway.run { gateway in
            let client = try await gateway.connect()
            client.send(text + "GET /b/smuggled HTTP/1.1\r\nHost: h\r\n\r\n")
            let answer = try await client.answer()
            #expect([400, 405, 501].contains(answer.status), "\(answer)")
            #expect(!answer.code.isEmpty)
            #expect(answer.headers["connection"] == "close")
            #expect(answer.body.contains("<RequestId>\(answer.headers["x-amz-request-id"] ?? "?")</RequestId>"))
            #expect(await client.untilClosed() == "")
            #expect(!gateway.handler.requests.contains { $0.key == "smuggled" })
        }
    }

    @Test(
        "header floods get an S3 error",
        arguments: [
            "X-Long: " + String(repeating: "a", count: 9000), "X-Longer: " + String(repeating: "a", count: 40_000),
            (0..<110).map { "X-H\($0): 1" }.joined(separator: "\r\n"),
            (0..<5000).map { "X-H\($0): 1" }.joined(separator: "\r\n"),
        ])
    func floods(headers: String) async throws {
        try await LoopbackGateway.run { gateway in
            let answer = try await gateway.exchange("GET /b/k HTTP/1.1\r\nHost: h\r\n\(headers)\r\n\r\n")
            #expect(answer.status == 400)
            #expect(answer.code == "RequestHeaderSectionTooLarge")
            #expect(gateway.handler.requests.isEmpty)
        }
    }

    @Test("blanks around a header's value are no part of it")
    func blanks() async throws {
        try await LoopbackGateway.run { gateway in
            let answer = try await gateway.exchange(
                "PUT /b/k HTTP/1.1\r\nHost:h \t\r\nContent-Length: 4 \r\nX-Amz-Meta-A:\t a b \t \r\n"
                    + "X-Amz-Meta-B: \t \r\nX-Amz-Meta-C: \u{e9} \r\nConnection: close \r\n\r\nabcd")
            #expect(answer.status == 200, "\(answer)")
            let headers = try #require(gateway.handler.requests.first?.headers)
            #expect(headers["x-amz-meta-a"] == ["a b"] && headers["x-amz-meta-b"] == [""])
            #expect(headers["x-amz-meta-c"] == ["\u{e9}"] && headers["host"] == ["h"])
        }
    }

    @Test("CONNECT and TRACE are refused", arguments: ["CONNECT example.com:443", "TRACE /"])
    func tunnels(start: String) async throws {
        try await LoopbackGateway.run { gateway in
            let answer = try await gateway.exchange("\(start) HTTP/1.1\r\nHost: example.com:443\r\n\r\n")
            #expect(answer.status == 405)
            #expect(answer.code == "MethodNotAllowed")
        }
    }

    @Test("expectations other than 100-continue are refused", arguments: ["other", "100-continue, other", "200-ok"])
    func expectations(value: String) async throws {
        try await LoopbackGateway.run { gateway in
            let head = "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: "
            let answer = try await gateway.exchange(head + value + "\r\n\r\n")
            #expect(answer.status == 417)
            #expect(answer.code == "ExpectationFailed")
            #expect(answer.headers["connection"] == "close")
            #expect(gateway.handler.requests.isEmpty)
        }
    }

    @Test("a malformed request behind a good one is answered after it")
    func errorBehindRequest() async throws {
        try await LoopbackGateway.run { gateway in
            let client = try await gateway.connect()
            client.send("GET /b/k HTTP/1.1\r\nHost: h\r\n\r\nGARBAGE\r\n\r\n")
            #expect(try await client.answer().body == "getObject b k 0")
            #expect(try await client.answer().status >= 400)
            _ = await client.untilClosed()
        }
    }

    @Test("random bytes never stop the gateway")
    func noise() async throws {
        try await LoopbackGateway.run { gateway in
            var random = SystemRandomNumberGenerator()
            for _ in 0..<100 {
                let client = try await gateway.connect()
                var text =
                    "PUT /b/k HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\nExpect: 100-continue\r\n\r\n0123456789"
                for _ in 0..<3 {
                    let index = text.utf8.index(
                        text.startIndex, offsetBy: Int.random(in: 0..<text.utf8.count, using: &random))
                    text.replaceSubrange(
                        index...index, with: String(UnicodeScalar(UInt8.random(in: 0..<128, using: &random))))
                }
                client.send(text)
                client.closeOutput()
                _ = await client.untilClosed()
            }
            #expect(try await gateway.exchange("GET /b/k HTTP/1.1\r\nHost: h\r\n\r\n").status == 200)
        }
    }
}
