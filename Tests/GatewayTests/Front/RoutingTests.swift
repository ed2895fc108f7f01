import NIOHTTP1
import S3Protocol
import Testing

@testable import Gateway

@Suite struct RoutingTests {
    let names = HostNames(["s3.amazonaws.com", "localhost", "my.endpoint"])

    private func target(_ uri: String, _ host: String?) throws -> RequestTarget {
        try RequestTarget(uri: uri, hostHeader: host, names: names)
    }

    private func place(_ uri: String, _ host: String?) throws -> [String?] {
        let target = try target(uri, host)
        return [target.bucket, target.key]
    }

    @Test("path style, virtual hosts, foreign hosts and absolute form name the same bucket and key")
    func places() throws {
        for (uri, host) in [
            ("/b.c/k", "localhost:8080"), ("/b.c/k", "127.0.0.1:9"), ("/b.c/k", "[::1]:9"),
            ("/b.c/k", "gw7.example.com"),
            ("/k", "b.c.s3.amazonaws.com"), ("/k", "B.C.S3.amazonaws.com:80"), ("/k", "b.c.my.endpoint"),
            ("/k", "b.c.localhost:8080"), ("/k", "b.c.s3.eu-west-1.amazonaws.com"),
            ("/k", "b.c.s3-us-west-2.amazonaws.com"),
            ("http://b.c.s3.amazonaws.com/k", "b.c.s3.amazonaws.com"),
            ("http://s3.amazonaws.com:80/b.c/k", "s3.amazonaws.com"),
            ("HTTP://b.c.my.endpoint:8080/k", nil), ("/b.c/k", nil), ("/b.c/k", "s3.eu-west-1.amazonaws.com"),
        ] {
            #expect(try place(uri, host) == ["b.c", "k"], "\(uri) \(host ?? "-")")
        }
        #expect(try place("http://s3.amazonaws.com", "s3.amazonaws.com") == [nil, nil])
        #expect(try place("http://bucket.s3.amazonaws.com?acl", "bucket.s3.amazonaws.com") == ["bucket", nil])
        #expect(try place("/", "localhost") == [nil, nil])
        #expect(try place("/bucket/", "localhost") == ["bucket", nil])
    }

    @Test(
        "keys are decoded once and never normalised",
        arguments: [
            ("a%20b", "a b"), ("a+b", "a+b"), ("a%2Bb", "a+b"), ("a%2520b", "a%20b"), ("a//b", "a//b"), ("%2Fa", "/a"),
            ("/a", "/a"),
            ("x/../y", "x/../y"), ("./x", "./x"), ("%E6%97%A5", "日"), ("a%3Fb", "a?b"), ("dir/", "dir/"),
            ("a;b:c@d=e&f", "a;b:c@d=e&f"),
        ])
    func keys(raw: String, key: String) throws {
        let parsed = try target("/bucket/\(raw)?x=1", "localhost")
        #expect(parsed.key.map { Array($0.utf8) } == Array(key.utf8))
        #expect(parsed.rawQuery == "x=1")
    }

    @Test(
        "targets that cannot be understood are refused",
        arguments: [
            ("/b/%zz", S3ErrorCode.invalidURI), ("/b/%", .invalidURI), ("/b/%ff", .invalidURI), ("*", .invalidURI),
            ("b/k", .invalidURI),
            ("ftp://h/b", .invalidURI), ("http:///b", .invalidURI), ("http://u@localhost/b", .invalidURI),
            ("/b/k#f", .invalidURI),
            ("//k", .invalidBucketName), ("http://other.example/b", .invalidRequest),
        ])
    func refused(uri: String, code: S3ErrorCode) {
        let error = #expect(throws: S3Error.self) { try target(uri, "localhost") }
        #expect(error?.code == code)
    }

    private func operation(_ method: HTTPMethod, _ uri: String, _ headers: HTTPHeaders = [:]) throws -> S3Operation {
        var headers = headers
        headers.add(name: "Host", value: "localhost")
        let head = HTTPRequestHead(version: .http1_1, method: method, uri: uri, headers: headers)
        return try FrontRequest(id: "1", head: head, names: names).operation
    }

    @Test("plain requests, sub-resources and headers choose the operation")
    func operations() throws {
        for (method, uri, expected) in [
            (HTTPMethod.GET, "/", S3Operation.listBuckets), (.GET, "/?x-id=ListBuckets", .listBuckets),
            (.PUT, "/b", .createBucket),
            (.HEAD, "/b", .headBucket), (.DELETE, "/b/", .deleteBucket), (.GET, "/b", .listObjects),
            (.GET, "/b?list-type=2", .listObjectsV2), (.GET, "/b?location", .getBucketLocation),
            (.GET, "/b?location=", .getBucketLocation),
            (.GET, "/b?versions", .listObjectVersions), (.POST, "/b?delete", .deleteObjects),
            (.GET, "/b?uploads", .listMultipartUploads),
            (.GET, "/b/k", .getObject), (.GET, "/b/k?x-id=GetObject", .getObject),
            (.GET, "/b/k?versionId=null", .getObject),
            (.PUT, "/b/k", .putObject), (.POST, "/b/k?uploads", .createMultipartUpload),
            (.PUT, "/b/k?partNumber=1&uploadId=u", .uploadPart), (.POST, "/b/k?uploadId=u", .completeMultipartUpload),
            (.DELETE, "/b/k?uploadId=u", .abortMultipartUpload), (.GET, "/b/k?uploadId=u", .listParts),
            (.GET, "/b/k?tagging", .getObjectTagging),
            (.GET, "/_leofs_adm/ping", .ping), (.OPTIONS, "/b/k", .preflight),
        ] {
            #expect(try operation(method, uri) == expected, "\(method) \(uri)")
        }
        let copy: HTTPHeaders = ["x-amz-copy-source": "/a/b"]
        #expect(try operation(.PUT, "/b/k", copy) == .copyObject)
        #expect(try operation(.PUT, "/b/k?partNumber=1&uploadId=u", copy) == .uploadPartCopy)
    }

    @Test("no sub-resource is ever a plain request")
    func noFallThrough() throws {
        let plain: Set<S3Operation> = [
            .getObject, .putObject, .deleteObject, .headObject, .listObjects, .listObjectsV2, .createBucket,
            .deleteBucket, .headBucket,
            .copyObject, .postObject, .listBuckets,
        ]
        let names = Set(SubResources.bucket.keys).union(SubResources.object.keys)
        for name in names {
            for method in [HTTPMethod.GET, .HEAD, .PUT, .POST, .DELETE, .OPTIONS, .RAW(value: "PATCH")] {
                for path in ["/b", "/b/k"] {
                    let chosen = try operation(method, "\(path)?\(name)")
                    #expect(!plain.contains(chosen), "\(method) \(path)?\(name)")
                    #expect(try operation(method, "\(path)?\(name)=1&prefix=x") == chosen)
                }
            }
        }
        #expect(try operation(.GET, "/b?acl&cors") == .unknown)
        #expect(try operation(.PUT, "/b/k?partNumber=1") == .unknown)
        #expect(try operation(.RAW(value: "PATCH"), "/b/k") == .unknown)
        #expect(try operation(.POST, "/b/k") == .unknown)
    }
}
