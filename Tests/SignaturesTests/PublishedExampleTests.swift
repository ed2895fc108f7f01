import Model
import S3Protocol
import Testing

@testable import Signatures

/// The examples of AWS's documentation, "Signature Calculations for the Authorization Header" and its neighbours.
@Suite struct PublishedExampleTests {
    static let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    static let accessKeyID = "AKIAIOSFODNN7EXAMPLE"
    static let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    let time = SigningTime("20130524T000000Z")!
    let verifier = SignatureVerifier()

    private func request(
        _ method: String, _ path: String, query: String = "", headers: [(String, String)], signed: String,
        _ signature: String
    ) -> SignableRequest {
        let credential = "\(Self.accessKeyID)/20130524/us-east-1/s3/aws4_request"
        let authorization = "AWS4-HMAC-SHA256 Credential=\(credential),SignedHeaders=\(signed),Signature=\(signature)"
        return SignableRequest(
            method: method, rawPath: path, rawQuery: query,
            headers: (headers + [
                ("Host", "examplebucket.s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"),
                ("Authorization", authorization),
            ]).map { .init($0.0, $0.1) })
    }

    private func verify(_ request: SignableRequest) throws -> VerifiedRequest {
        try verifier.verify(request, now: time.seconds) { $0 == Self.accessKeyID ? Array(Self.secret.utf8) : nil }
    }

    @Test("GET object with a range")
    func getObject() throws {
        _ = try verify(
            request(
                "GET", "/test.txt", headers: [("Range", "bytes=0-9"), ("x-amz-content-sha256", Self.empty)],
                signed: "host;range;x-amz-content-sha256;x-amz-date",
                "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"))
    }

    @Test("PUT object with a dollar sign in its key")
    func putObject() throws {
        let digest = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
        let verified = try verify(
            request(
                "PUT", "/test%24file.text",
                headers: [
                    ("Date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                    ("x-amz-content-sha256", digest),
                ], signed: "date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class",
                "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"))
        #expect(verified.payload == .signed(bytes(ofHex: digest)!))
    }

    @Test("GET of a sub-resource and of a listing")
    func queries() throws {
        _ = try verify(
            request(
                "GET", "/", query: "lifecycle", headers: [("x-amz-content-sha256", Self.empty)],
                signed: "host;x-amz-content-sha256;x-amz-date",
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"))
        _ = try verify(
            request(
                "GET", "/", query: "max-keys=2&prefix=J", headers: [("x-amz-content-sha256", Self.empty)],
                signed: "host;x-amz-content-sha256;x-amz-date",
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"))
    }

    @Test("a presigned URL, and its expiry")
    func presigned() throws {
        let query =
            "X-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3"
            + "%2Faws4_request&X-Amz-Date=20130524T000000Z&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
            + "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
        let request = SignableRequest(
            method: "GET", rawPath: "/test.txt", rawQuery: query,
            headers: [.init("Host", "examplebucket.s3.amazonaws.com")])
        let secret: (String) -> [UInt8]? = { _ in Array(Self.secret.utf8) }
        _ = try verifier.verify(request, now: time.seconds + 86400, secret: secret)
        #expect(throws: S3Error(.accessDenied, "Request has expired")) {
            try verifier.verify(request, now: time.seconds + 86401, secret: secret)
        }
        #expect(throws: S3Error(.accessDenied, "Request is not valid yet")) {
            try verifier.verify(request, now: time.seconds - 901, secret: secret)
        }
    }

    @Test("chunked upload: seed and three chunk signatures")
    func chunked() throws {
        let seed = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9"
        let verified = try verify(
            SignableRequest(
                method: "PUT", rawPath: "/examplebucket/chunkObject.txt",
                headers: [
                    ("Host", "s3.amazonaws.com"), ("x-amz-date", "20130524T000000Z"),
                    ("x-amz-storage-class", "REDUCED_REDUNDANCY"),
                    ("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD"), ("Content-Encoding", "aws-chunked"),
                    ("x-amz-decoded-content-length", "66560"), ("Content-Length", "66824"),
                    (
                        "Authorization",
                        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
                            + "SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;"
                            + "x-amz-decoded-content-length;x-amz-storage-class,Signature=" + seed
                    ),
                ].map { .init($0.0, $0.1) }))
        var signer = try #require(verified.chunkSigner)
        let a = [UInt8](repeating: UInt8(ascii: "a"), count: 65536)
        #expect(signer.sign(chunk: a) == "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648")
        #expect(
            signer.sign(chunk: Array(a.prefix(1024)))
                == "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497")
        #expect(signer.sign(chunk: [UInt8]()) == "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9")
    }

    @Test("chunked upload with a trailer: seed, chunk and trailer signatures")
    func trailer() throws {
        let scope = CredentialScope(day: "20130524", region: "us-east-1")
        var signer = ChunkSigner(
            key: scope.signingKey(secret: Array(Self.secret.utf8)), time: time, scope: scope,
            seed: "106e2a8a18243abcf37539882f36619c00e2dfc72633413f02d3b74544bfeb8e")
        let a = [UInt8](repeating: UInt8(ascii: "a"), count: 65536)
        #expect(signer.sign(chunk: a) == "b474d8862b1487a5145d686f57f013e54db672cee1c953b3010fb58501ef5aa2")
        #expect(
            signer.sign(chunk: Array(a.prefix(1024)))
                == "1c1344b170168f8e65b41376b44b20fe354e373826ccbbe2c1d40a8cae51e5c7")
        #expect(signer.sign(chunk: [UInt8]()) == "2ca2aba2005185cf7159c6277faf83795951dd77a3a99e6e65d5c9f85863f992")
        #expect(
            signer.sign(trailer: "x-amz-checksum-crc32c:sOO8/Q==\n")
                == "d81f82fc3505edab99d459891051a732e8730629a2e4a59689829ca17fe2e435")
    }

    @Test("version 2: object GET, PUT, list, ACL and upload of the developer guide")
    func version2() throws {
        let cases: [(SignableRequest, String)] = [
            (
                v2("GET", "/photos/puppy.jpg", [("Date", "Tue, 27 Mar 2007 19:36:42 +0000")], "awsexamplebucket1"),
                "qgk2+6Sv9/oM7G3qLEjTH1a1l1g="
            ),
            (
                v2(
                    "PUT", "/photos/puppy.jpg",
                    [("Content-Type", "image/jpeg"), ("Date", "Tue, 27 Mar 2007 21:15:45 +0000")], "awsexamplebucket1"),
                "iqRzw+ileNPu1fhspnRs8nOjjIA="
            ),
            (
                v2(
                    "GET", "/", [("Date", "Tue, 27 Mar 2007 19:42:41 +0000")], "awsexamplebucket1",
                    "prefix=photos&max-keys=50"),
                "m0WP8eCtspQl5Ahe6L1SozdX9YA="
            ),
            (
                v2("GET", "/", [("Date", "Tue, 27 Mar 2007 19:44:46 +0000")], "awsexamplebucket1", "acl"),
                "82ZHiFIjc+WbcwFKGUVEQspPn+0="
            ),
            (
                v2(
                    "PUT", "/db-backup.dat.gz",
                    [
                        ("Date", "Tue, 27 Mar 2007 21:06:08 +0000"), ("x-amz-acl", "public-read"),
                        ("content-type", "application/x-download"), ("Content-MD5", "4gJE4saaMU4BqNR0kLY+lw=="),
                        ("X-Amz-Meta-ReviewedBy", "joe@example.com"), ("X-Amz-Meta-ReviewedBy", "jane@example.com"),
                        ("X-Amz-Meta-FileChecksum", "0x02661779"), ("X-Amz-Meta-ChecksumAlgorithm", "crc32"),
                    ], "static.example.com"), "jtBQa0Aq+DkULFI8qrpwIjGEx0E="
            ),
        ]
        for (request, signature) in cases {
            var signed = request
            signed.headers.append(.init("Authorization", "AWS AKIAIOSFODNN7EXAMPLE:\(signature)"))
            let now = HTTPDate.parse(request.first("date")!)!
            let verified = try verifier.verify(signed, now: now) { _ in Array(Self.secret.utf8) }
            #expect(verified.accessKeyID == Self.accessKeyID)
        }
    }

    private func v2(
        _ method: String, _ path: String, _ headers: [(String, String)], _ bucket: String, _ query: String = ""
    ) -> SignableRequest {
        SignableRequest(
            method: method, rawPath: path, rawQuery: query, headers: headers.map { .init($0.0, $0.1) },
            bucketInHost: bucket)
    }
}
