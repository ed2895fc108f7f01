import Checksums
import Model
import NIOCore
import NIOHTTP1
import S3Protocol
import Testing
import Wire

@testable import Gateway

@Suite("Signed addresses of Swift")
struct TemporaryAddressTests {
    private static let now: Int64 = 1_700_000_000
    private static let path = "/v1/AUTH_p1/box/a/key"

    private func call(
        _ method: String, _ query: [String: String], _ operation: SwiftOperation = .getObject,
        remote: String = "10.1.2.3", key: String = "account-key"
    ) -> SwiftCall {
        let request = SwiftRequest(
            id: "1", transaction: "tx1", method: method, rawPath: Self.path, path: Array(Self.path.utf8), query: query,
            headers: [:], remote: remote, body: RequestBody(bytes: ByteBuffer()))
        let container = BucketRecord(
            name: "box", project: "p1",
            headers: [SwiftHeader(name: "x-container-meta-temp-url-key-2", value: "box-key")])
        let project = ProjectRecord(
            id: "p1", name: "p", headers: [SwiftHeader(name: "x-account-meta-temp-url-key", value: key)])
        return SwiftCall(
            request: request, operation: operation, caller: .anonymous, account: "AUTH_p1", project: project,
            containerName: "box", container: container, object: Array("a/key".utf8))
    }

    private func sign(_ text: String, key: String = "account-key", _ algorithm: HashAlgorithm = .sha256) -> String {
        hexDigits(of: hmac(algorithm, key: key, text))
    }

    private func grant(
        _ method: String, signed: String, expires: String = "1700000100", key: String = "account-key",
        _ algorithm: HashAlgorithm = .sha256, more: [String: String] = [:], remote: String = "10.1.2.3",
        operation: SwiftOperation = .getObject
    ) -> TemporaryGrant? {
        var query = ["temp_url_sig": sign(signed, key: key, algorithm), "temp_url_expires": expires]
        query.merge(more) { $1 }
        return TemporaryAddress.grant(call(method, query, operation, remote: remote), now: Self.now)
    }

    @Test("Keys of account and container, all digests, dates")
    func good() {
        let text = "GET\n1700000100\n\(Self.path)"
        #expect(grant("GET", signed: text)?.permission == .readObject)
        #expect(grant("GET", signed: text, .sha1)?.container == nil)
        #expect(grant("GET", signed: text, .sha512)?.expires == 1_700_000_100)
        #expect(grant("GET", signed: text, key: "box-key")?.container == "box")
        for method in ["HEAD", "GET", "PUT", "POST"] {
            #expect(grant("HEAD", signed: "\(method)\n1700000100\n\(Self.path)") != nil)
        }
        #expect(grant("GET", signed: text, expires: "2023-11-14T22:15:00Z") != nil)
        #expect(grant("PUT", signed: "PUT\n1700000100\n\(Self.path)")?.permission == .writeObject)
    }

    @Test("Another method, path, key or time, or none")
    func bad() {
        let text = "GET\n1700000100\n\(Self.path)"
        #expect(grant("PUT", signed: text) == nil && grant("DELETE", signed: text) == nil)
        #expect(grant("GET", signed: "PUT\n1700000100\n\(Self.path)") == nil)
        #expect(grant("GET", signed: text + "x") == nil && grant("GET", signed: text, key: "other") == nil)
        #expect(grant("GET", signed: "GET\n1699999999\n\(Self.path)", expires: "1699999999") == nil)
        #expect(grant("GET", signed: text, expires: "soon") == nil)
        for signature in ["", "zz", "sha512:AAAA", "md5:AAAA", String(repeating: "0", count: 64)] {
            let query = ["temp_url_sig": signature, "temp_url_expires": "1700000100"]
            #expect(TemporaryAddress.grant(call("GET", query), now: Self.now) == nil)
        }
        // A key that is empty is no key.
        let empty = ["temp_url_sig": sign(text, key: ""), "temp_url_expires": "1700000100"]
        #expect(TemporaryAddress.grant(call("GET", empty, key: ""), now: Self.now) == nil)
    }

    @Test("Only operations on the object itself, and no manifests")
    func operations() {
        let text = "POST\n1700000100\n\(Self.path)"
        for operation in SwiftOperation.allCases {
            let isOwn = [.getObject, .headObject, .putObject, .postObject, .deleteObject].contains(operation)
            #expect((grant("POST", signed: text, operation: operation) != nil) == isOwn, "\(operation)")
        }
        #expect(grant("POST", signed: text, more: ["multipart-manifest": "get"]) != nil)
        for value in ["put", "delete"] {
            #expect(grant("POST", signed: text, more: ["multipart-manifest": value]) == nil)
        }
    }

    @Test("A prefix lets in what begins with it, an address range who is in it")
    func limits() {
        let text = "GET\n1700000100\nprefix:/v1/AUTH_p1/box/a/"
        #expect(grant("GET", signed: text, more: ["temp_url_prefix": "a/"]) != nil)
        #expect(
            grant("GET", signed: "GET\n1700000100\nprefix:/v1/AUTH_p1/box/b", more: ["temp_url_prefix": "b"]) == nil)
        let ranged = "ip=10.1.0.0/16\nGET\n1700000100\n\(Self.path)"
        let range = ["temp_url_ip_range": "10.1.0.0/16"]
        #expect(grant("GET", signed: ranged, more: range) != nil)
        #expect(grant("GET", signed: ranged, more: range, remote: "10.2.0.1") == nil)
        #expect(grant("GET", signed: "GET\n1700000100\n\(Self.path)", more: range) == nil)
        #expect(TemporaryAddress.permits("::1", "::1") && !TemporaryAddress.permits("10.0.0.0/40", "10.0.0.1"))
    }

    @Test("A grant is for one permission, one account, and the container whose key it was")
    func scope() {
        var grant = TemporaryGrant(permission: .readObject, project: "p1", expires: 1)
        for permission in SwiftPermission.allCases {
            #expect(
                grant.allows(permission, project: "p1", container: "any") == (permission == .readObject))
        }
        #expect(!grant.allows(.readObject, project: "p2", container: "any"))
        #expect(!grant.allows(.readObject, project: nil, container: "any"))
        grant.container = "box"
        #expect(grant.allows(.readObject, project: "p1", container: "box"))
        #expect(!grant.allows(.readObject, project: "p1", container: "any"))
        #expect(!grant.allows(.readObject, project: "p1", container: nil))
    }
}
