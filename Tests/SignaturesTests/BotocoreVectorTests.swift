import Foundation
import S3Protocol
import Signatures
import Testing

/// Requests that botocore signed: see Vectors/generate.py.
struct BotocoreVectors: Decodable {
    struct Vector: Decodable, CustomStringConvertible {
        var scheme, method, path, query: String
        var headers: [[String]]

        var description: String { "\(scheme) \(method) \(path)?\(query)" }

        var request: SignableRequest {
            SignableRequest(
                method: method, rawPath: path, rawQuery: query,
                headers: headers.map { SignableRequest.Header($0[0], $0[1]) })
        }
    }

    var accessKeyID, secret, region: String
    var time: Int64
    var vectors: [Vector]

    static let shared: BotocoreVectors = {
        let file = Bundle.module.url(forResource: "botocore", withExtension: "json", subdirectory: "Vectors")!
        return try! JSONDecoder().decode(BotocoreVectors.self, from: Data(contentsOf: file))
    }()

    func secret(_ key: String) -> [UInt8]? { key == accessKeyID ? Array(secret.utf8) : nil }
}

@Suite struct BotocoreVectorTests {
    let all = BotocoreVectors.shared
    let verifier = SignatureVerifier()

    @Test("every request that botocore signed is accepted", arguments: BotocoreVectors.shared.vectors)
    func accepts(_ vector: BotocoreVectors.Vector) throws {
        let verified = try verifier.verify(vector.request, now: all.time + 60, secret: all.secret)
        #expect(verified.accessKeyID == all.accessKeyID)
    }

    @Test(
        "a botocore request with another path, method or secret is refused", arguments: BotocoreVectors.shared.vectors)
    func refuses(_ vector: BotocoreVectors.Vector) {
        var path = vector.request
        path.rawPath += "x"
        var method = vector.request
        method.method = method.method == "GET" ? "PUT" : "GET"
        for altered in [path, method] {
            #expect(throws: S3Error(.signatureDoesNotMatch)) {
                try verifier.verify(altered, now: all.time, secret: all.secret)
            }
        }
        #expect(throws: S3Error(.signatureDoesNotMatch)) {
            try verifier.verify(vector.request, now: all.time) { _ in Array("other".utf8) }
        }
        #expect(throws: S3Error(.invalidAccessKeyId)) {
            try verifier.verify(vector.request, now: all.time) { _ in nil }
        }
    }

    @Test("requests in other spellings of the same path and query are accepted as version 4")
    func spellings() throws {
        for vector in all.vectors where vector.scheme == "v4" {
            var request = vector.request
            request.rawPath = request.rawPath.replacingOccurrences(of: "%7E", with: "~")
                .replacingOccurrences(of: "%28", with: "(").replacingOccurrences(of: "%29", with: ")")
            request.rawQuery = request.rawQuery.replacingOccurrences(of: "%20", with: "+")
                .split(separator: "&").reversed().joined(separator: "&")
            let verified = try verifier.verify(request, now: all.time, secret: all.secret)
            #expect(verified.accessKeyID == all.accessKeyID)
        }
    }

    @Test("our own signatures verify")
    func roundTrip() throws {
        let signer = RequestSigner(accessKeyID: all.accessKeyID, secret: all.secret, region: "anywhere")
        let time = SigningTime(seconds: all.time)
        for vector in all.vectors where vector.scheme == "v4" {
            var request = vector.request
            request.headers.removeAll { ["authorization", "x-amz-date", "x-amz-content-sha256"].contains($0.name) }
            var v4 = request
            v4.headers += try signer.signV4(request, payload: "UNSIGNED-PAYLOAD", at: time).headers
                .map { .init($0.name, $0.value) }
            var presigned = request
            presigned.rawQuery = try signer.presignV4(request, validFor: 60, at: time)
            var v2 = request
            v2.headers.append(.init("Date", "Fri, 14 Mar 2025 15:09:26 GMT"))
            v2.headers.append(.init("Authorization", try signer.signV2(v2)))
            var presignedV2 = request
            presignedV2.rawQuery = try signer.presignV2(request, expiresAt: all.time + 60)
            for signed in [v4, presigned, v2, presignedV2] {
                let verified = try verifier.verify(signed, now: all.time, secret: all.secret)
                #expect(verified.accessKeyID == all.accessKeyID)
            }
        }
    }
}
