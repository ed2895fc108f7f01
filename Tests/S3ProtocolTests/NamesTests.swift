import S3Protocol
import Testing

@Suite struct NamesTests {
    @Test(
        "bucket names that AWS accepts",
        arguments: ["abc", "my-bucket", "my.bucket.1", "1.2.3.4.5", "a1b", String(repeating: "a", count: 63)])
    func goodBuckets(_ name: String) { #expect(isValidBucketName(name)) }

    @Test(
        "bucket names that AWS refuses",
        arguments: [
            "", "ab", "Abc", "a_b", "-ab", "ab-", ".ab", "ab.", "a..b", "192.168.5.4", "xn--abc", "abc-s3alias", "a b",
            "abc--ol-s3", "sthree-abc", "ä-bucket", String(repeating: "a", count: 64),
        ])
    func badBuckets(_ name: String) { #expect(!isValidBucketName(name)) }

    @Test("keys have 1 to 1,024 bytes")
    func keys() {
        #expect(code { try checkKey(String(repeating: "ü", count: 512)) } == nil)
        #expect(code { try checkKey(String(repeating: "ü", count: 513)) } == .keyTooLong)
        #expect(code { try checkKey("") } == .invalidURI)
    }

    @Test(
        "the source of a copy",
        arguments: [
            ("bucket/key", "bucket", "key"), ("/bucket/a%20b/c", "bucket", "a b/c"), ("bucket/a+b", "bucket", "a+b"),
            ("/bucket%2Fkey", "bucket", "key"), ("b/%C3%BC", "b", "ü"),
        ])
    func copySources(_ header: String, _ bucket: String, _ key: String) throws {
        let source = try CopySource(header: header)
        #expect(source.bucket == bucket)
        #expect(source.key == key)
        #expect(source.versionID == nil)
    }

    @Test("the source of a copy may name a version")
    func copySourceVersion() throws {
        let source = try CopySource(header: "b/k?versionId=null")
        #expect(source.key == "k")
        #expect(source.versionID == "null")
    }

    @Test("a source that names no object is refused", arguments: ["", "/", "bucket", "/bucket/", "b/%zz", "b/%FF"])
    func badCopySources(_ header: String) {
        #expect(code { _ = try CopySource(header: header) } == .invalidArgument)
    }

    @Test("percent-encoding is undone by decoding")
    func percentEncoding() {
        let text = "a b/+%&?ü日\n~-_."
        #expect(PercentEncoding.encode("test_file(3).png") == "test_file%283%29.png")
        #expect(PercentEncoding.decode(PercentEncoding.encode(text)) == text)
        #expect(PercentEncoding.decode("%") == nil)
        #expect(PercentEncoding.decode("%4") == nil)
    }

    @Test("a continuation token is recognised, and only unchanged")
    func tokens() throws {
        let token = ContinuationToken.encode(position: Array("a/ü".utf8), afterPrefix: true)
        let (position, afterPrefix) = try ContinuationToken.decode(token)
        #expect(position == Array("a/ü".utf8))
        #expect(afterPrefix)
        for bad in ["", "x", "a/ü", String(token.dropLast(4)), "A" + token.dropFirst(), token + "AAAA"]
        where bad != token {
            #expect(code { _ = try ContinuationToken.decode(bad) } == .invalidArgument)
        }
    }

    @Test("aws-chunked is not an encoding of the content")
    func contentEncoding() {
        #expect(ContentHeaders.storedValue(name: "content-encoding", value: "aws-chunked") == nil)
        #expect(ContentHeaders.storedValue(name: "content-encoding", value: "aws-chunked, gzip") == "gzip")
        #expect(ContentHeaders.storedValue(name: "content-type", value: "aws-chunked") == "aws-chunked")
    }
}
