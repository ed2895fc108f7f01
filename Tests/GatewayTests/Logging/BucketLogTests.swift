import Model
import Observability
import S3Protocol
import Testing

@testable import Gateway

@Suite struct BucketLogTests {
    private func entry(agent: String? = nil, key: String? = "k") -> BucketLogEntry {
        BucketLogEntry(
            owner: "alice", bucket: "box", time: 1_549_411_238_000, remote: "192.0.2.3", requester: nil, id: "R1",
            operation: "REST.GET.OBJECT", key: key, request: "GET /box/k HTTP/1.1", status: 404, errorCode: "NoSuchKey",
            sent: 113, objectSize: nil, milliseconds: 7, referrer: nil, userAgent: agent, version: nil,
            host: "localhost",
            signature: nil, authentication: nil)
    }

    @Test("a line has AWS's fields in AWS's order")
    func line() {
        #expect(
            entry(agent: "curl/8", key: "a b").line
                == "alice box [06/Feb/2019:00:00:38 +0000] 192.0.2.3 - R1 REST.GET.OBJECT a%20b \"GET /box/k HTTP/1.1\" 404 "
                + "NoSuchKey 113 - 7 7 \"-\" \"curl/8\" - - - - - localhost - - -\n")
    }

    @Test("nothing that a client sends ends a field or a line")
    func forged() {
        let line = entry(agent: "a\" 200 \\\n- \u{7f}b", key: "x\ny\"").line
        #expect(line.filter { $0 == "\n" }.count == 1)
        #expect(line.contains("\"a%22 200 %5C?- ?b\""))
        #expect(line.contains(" x%0Ay%22 "))
    }

    @Test("requests are logged where the bucket says, and nothing else is")
    func requests() async throws {
        let document =
            "<BucketLoggingStatus><LoggingEnabled><TargetBucket>logs</TargetBucket><TargetPrefix>p/</TargetPrefix>"
            + "</LoggingEnabled></BucketLoggingStatus>"
        let gateway = TestGateway()
        gateway.cluster.add("box", documents: ["logging": document])
        gateway.cluster.add("silent")
        gateway.cluster.add("logs")
        try await gateway.cluster.refresh()
        await gateway.put("k", [1, 2, 3])
        _ = await gateway.get("missing", as: TestGateway.bob)
        _ = await gateway.send(.headBucket, .HEAD, bucket: "silent")
        await gateway.operations.deliverLogs()
        let listed = await gateway.send(.listObjectsV2, bucket: "logs").text
        let key = try #require(listed.split(separator: "<Key>").dropFirst().first?.split(separator: "<").first)
        #expect(key.hasPrefix("p/2023-11-14-22-13-20-"))
        let text = await gateway.send(.getObject, bucket: "logs", key: String(key)).text
        let lines = text.split(separator: "\n")
        #expect(lines.count == 2)
        #expect(lines.first?.contains(" alice request-1 REST.PUT.OBJECT k \"PUT /box/k HTTP/1.1\" 200 - - 3 ") == true)
        #expect(
            lines.last?.contains(
                " bob request-1 REST.GET.OBJECT missing \"GET /box/missing HTTP/1.1\" 403 AccessDenied ") == true)
        #expect(gateway.operations.logs.take().isEmpty, "their delivery is not logged")
    }

    @Test("the buffer of a place is bounded")
    func bounded() {
        let logs = BucketLogs(MetricsRegistry())
        let place = BucketLogging(target: "t", prefix: "")
        let line = String(repeating: "x", count: 1 << 20) + "\n"
        for _ in 0..<20 { logs.append(line, to: place, owner: "alice") }
        let taken = logs.take()
        #expect(taken.count == 1 && taken[0].lines.count <= BucketLogs.placeBytesMax && taken[0].lines.count > 7 << 20)
        #expect(logs.take().isEmpty)
    }

    @Test(
        "what cannot be done is refused",
        arguments: [
            ("<Other/>", S3ErrorCode.malformedXML),
            ("<BucketLoggingStatus><LoggingEnabled/></BucketLoggingStatus>", .malformedXML),
            (
                "<BucketLoggingStatus><LoggingEnabled><TargetBucket>t</TargetBucket><TargetPrefix/><TargetObjectKeyFormat>"
                    + "<PartitionedPrefix/></TargetObjectKeyFormat></LoggingEnabled></BucketLoggingStatus>",
                .notImplemented
            ),
        ])
    func refused(_ document: String, _ code: S3ErrorCode) {
        #expect { try BucketLogging.parse(Array(document.utf8)) } throws: { ($0 as? S3Error)?.code == code }
    }
}
