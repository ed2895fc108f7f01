import S3Protocol
import Testing

@Suite struct RequestDocumentTests {
    @Test("a bucket without a body or location stands in the default place")
    func createBucket() throws {
        #expect(try CreateBucketDocument(parsing: []).location == nil)
        #expect(try CreateBucketDocument(parsing: Array("<CreateBucketConfiguration/>".utf8)).location == nil)
        let text =
            "<CreateBucketConfiguration xmlns=\"\(XMLWriter.s3Namespace)\"><LocationConstraint>eu-west-1</LocationConstraint><Tags/></CreateBucketConfiguration>"
        #expect(try CreateBucketDocument(parsing: Array(text.utf8)).location == "eu-west-1")
        #expect(code { _ = try CreateBucketDocument(parsing: Array("<Other/>".utf8)) } == .malformedXML)
        #expect(code { _ = try CreateBucketDocument(parsing: Array("bad".utf8)) } == .malformedXML)
    }

    @Test("keys to delete keep their white space; unknown elements are tolerated")
    func delete() throws {
        let text =
            "<Delete><Quiet>true</Quiet><New/><Object><Key> a\n</Key><VersionId>null</VersionId></Object><Object><Key>ü</Key><ETag>\"e\"</ETag></Object></Delete>"
        let document = try DeleteDocument(parsing: Array(text.utf8))
        #expect(document.quiet)
        #expect(document.targets.map(\.key) == [" a\n", "ü"])
        #expect(document.targets[0].versionID == "null")
        #expect(document.targets[1].condition.etag == "e")
    }

    @Test("1 to 1,000 keys may be deleted at once")
    func deleteLimits() {
        func document(_ count: Int) -> [UInt8] {
            Array(("<Delete>" + String(repeating: "<Object><Key>k</Key></Object>", count: count) + "</Delete>").utf8)
        }
        #expect(code { _ = try DeleteDocument(parsing: document(1000)) } == nil)
        #expect(code { _ = try DeleteDocument(parsing: document(1001)) } == .malformedXML)
        #expect(code { _ = try DeleteDocument(parsing: document(0)) } == .malformedXML)
        #expect(code { _ = try DeleteDocument(parsing: []) } == .missingRequestBody)
        #expect(
            code { _ = try DeleteDocument(parsing: Array("<Delete><Object><Key/></Object></Delete>".utf8)) }
                == .malformedXML)
    }

    private func completion(_ parts: [(Int, String)]) -> [UInt8] {
        let elements = parts.map { "<Part><PartNumber>\($0.0)</PartNumber><ETag>\($0.1)</ETag></Part>" }.joined()
        return Array("<CompleteMultipartUpload>\(elements)</CompleteMultipartUpload>".utf8)
    }

    @Test("parts are named in ascending order")
    func complete() throws {
        let document = try CompleteUploadDocument(
            parsing: completion([(1, "\"a\""), (3, "b"), (10_000, "&quot;c&quot;")]))
        #expect(document.parts.map(\.number) == [1, 3, 10_000])
        #expect(document.parts.map(\.etag) == ["a", "b", "c"])
        #expect(
            code { _ = try CompleteUploadDocument(parsing: completion([(2, "a"), (1, "b")])) } == .invalidPartOrder)
        #expect(
            code { _ = try CompleteUploadDocument(parsing: completion([(1, "a"), (1, "b")])) } == .invalidPartOrder)
        #expect(code { _ = try CompleteUploadDocument(parsing: completion([(0, "a")])) } == .invalidArgument)
        #expect(code { _ = try CompleteUploadDocument(parsing: completion([(10_001, "a")])) } == .invalidArgument)
        #expect(code { _ = try CompleteUploadDocument(parsing: completion([])) } == .malformedXML)
        #expect(code { _ = try CompleteUploadDocument(parsing: completion([(1, "")])) } == .malformedXML)
    }

    @Test("a part may come with checksums")
    func checksums() throws {
        let text =
            "<CompleteMultipartUpload><Part><ETag>e</ETag><ChecksumCRC32>AAAAAA==</ChecksumCRC32><PartNumber>1</PartNumber></Part></CompleteMultipartUpload>"
        #expect(try CompleteUploadDocument(parsing: Array(text.utf8)).parts[0].checksums == [.crc32: "AAAAAA=="])
    }

    @Test(
        "a list of grants that equals a canned one is recognised",
        arguments: [
            CannedACL.private, .publicRead, .publicReadWrite, .authenticatedRead,
        ])
    func canned(_ list: CannedACL) throws {
        let policy = try AccessControlPolicy(parsing: AccessControlPolicy(owner: "me", canned: list).xml())
        #expect(policy.owner == "me" && policy.canned() == list)
    }

    @Test("other grants equal no canned list")
    func otherGrants() throws {
        var policy = AccessControlPolicy(owner: "me", canned: .publicRead)
        policy.grants.append(Grant(.user(id: "you"), .write))
        #expect(policy.canned() == nil)
        #expect(try AccessControlPolicy(parsing: policy.xml()) == policy)
        #expect(code { _ = try AccessControlPolicy(parsing: Array("<Other/>".utf8)) } == .malformedACL)
    }
}
