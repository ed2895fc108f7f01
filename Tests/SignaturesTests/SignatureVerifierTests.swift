import S3Protocol
import Testing

@testable import Signatures

@Suite struct SignatureVerifierTests {
    let signer = RequestSigner(accessKeyID: "AKIDEXAMPLE", secret: "secret")
    let verifier = SignatureVerifier()
    let time = SigningTime("20250314T150926Z")!
    let plain = SignableRequest(method: "GET", rawPath: "/bucket/key", headers: [.init("Host", "localhost")])

    private func verify(_ request: SignableRequest, now: Int64? = nil) throws(S3Error) -> VerifiedRequest {
        try verifier.verify(request, now: now ?? time.seconds) { $0 == "AKIDEXAMPLE" ? Array("secret".utf8) : nil }
    }

    private func code(_ request: SignableRequest, now: Int64? = nil) -> S3ErrorCode? {
        do {
            _ = try verify(request, now: now)
            return nil
        } catch {
            return error.code
        }
    }

    private func signed(_ request: SignableRequest, payload: String = "UNSIGNED-PAYLOAD") throws -> SignableRequest {
        var request = request
        request.headers += try signer.signV4(request, payload: payload, at: time).headers.map {
            .init($0.name, $0.value)
        }
        return request
    }

    private func with(_ request: SignableRequest, _ name: String, _ value: String?) -> SignableRequest {
        var request = request
        request.headers.removeAll { $0.name == name.lowercased() }
        if let value { request.headers.append(.init(name, value)) }
        return request
    }

    @Test("a request without credentials is anonymous")
    func anonymous() throws {
        #expect(try verify(plain).accessKeyID == nil)
        #expect(
            try verify(with(plain, "x-amz-content-sha256", "STREAMING-UNSIGNED-PAYLOAD-TRAILER")).accessKeyID == nil)
        #expect(code(with(plain, "x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")) == .accessDenied)
    }

    @Test("two sources of credentials are refused, whichever is right")
    func twoSources() throws {
        var both = try signed(plain)
        both.rawQuery = try signer.presignV4(plain, validFor: 60, at: time)
        #expect(code(both) == .invalidArgument)
        both.rawQuery = try signer.presignV2(plain, expiresAt: time.seconds + 60)
        #expect(code(both) == .invalidArgument)
        both.rawQuery = "x-amz-signature=x"
        #expect(code(both) == .invalidArgument)
        var queries = plain
        queries.rawQuery = try signer.presignV4(plain, validFor: 60, at: time) + "&AWSAccessKeyId=x"
        #expect(code(queries) == .invalidArgument)
        let twice = try signed(plain)
        #expect(
            code(with(twice, "x-other", "1").addingHeader("Authorization", twice.first("authorization")!))
                == .invalidArgument)
    }

    @Test(
        "a bad signature is refused in every payload mode",
        arguments: [
            "UNSIGNED-PAYLOAD", "STREAMING-UNSIGNED-PAYLOAD-TRAILER", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER", String(repeating: "0", count: 64),
        ])
    func badSignature(payload: String) throws {
        let good = try signed(plain, payload: payload)
        #expect(code(good) == nil)
        var altered = good
        altered.rawPath = "/bucket/other"
        #expect(code(altered) == .signatureDoesNotMatch)
        let otherMode = payload == "UNSIGNED-PAYLOAD" ? "STREAMING-UNSIGNED-PAYLOAD-TRAILER" : "UNSIGNED-PAYLOAD"
        #expect(code(with(good, "x-amz-content-sha256", otherMode)) == .signatureDoesNotMatch)
        var presigned = with(plain, "x-amz-content-sha256", payload)
        presigned.rawQuery = try signer.presignV4(presigned, validFor: 60, at: time)
        #expect(code(presigned) == nil)
        presigned.rawPath += "x"
        #expect(code(presigned) == .signatureDoesNotMatch)
    }

    @Test("a header of AWS's that is not signed is refused")
    func unsignedHeader() throws {
        #expect(code(with(try signed(plain), "x-amz-acl", "public-read")) == .accessDenied)
        var presigned = plain
        presigned.rawQuery = try signer.presignV4(plain, validFor: 60, at: time)
        #expect(code(with(presigned, "x-amz-acl", "public-read")) == .accessDenied)
        let good = try signed(plain)
        let withoutHost = good.first("authorization")!.replacing("SignedHeaders=host;", with: "SignedHeaders=")
        #expect(code(with(good, "authorization", withoutHost)) == .accessDenied)
    }

    @Test("a repeated header that decides how the request is read is refused")
    func repeatedHeaders() throws {
        let good = try signed(plain)
        for name in ["Host", "x-amz-date", "x-amz-content-sha256"] {
            #expect(code(good.addingHeader(name, good.first(name.lowercased())!)) == .invalidRequest)
        }
    }

    @Test("the clock window is fifteen minutes, both ways and for both versions")
    func skew() throws {
        let v4 = try signed(plain)
        var v2 = with(plain, "Date", "Fri, 14 Mar 2025 15:09:26 GMT")
        v2.headers.append(.init("Authorization", try signer.signV2(v2)))
        for request in [v4, v2] {
            #expect(code(request, now: time.seconds + 900) == nil)
            #expect(code(request, now: time.seconds - 900) == nil)
            #expect(code(request, now: time.seconds + 901) == .requestTimeTooSkewed)
            #expect(code(request, now: time.seconds - 901) == .requestTimeTooSkewed)
        }
    }

    @Test("presigned URLs: missing, repeated and wrong parameters")
    func presignedParameters() throws {
        var request = plain
        request.rawQuery = try signer.presignV4(plain, validFor: 604_800, at: time)
        #expect(code(request) == nil)
        let query = request.rawQuery
        for name in ["Algorithm", "Credential", "Date", "Expires", "SignedHeaders", "Signature"] {
            request.rawQuery = query.replacing("X-Amz-\(name)=", with: "X-Amz-No=")
            #expect(code(request) == .authorizationQueryParametersError)
        }
        request.rawQuery = query + "&X-Amz-Expires=1"
        #expect(code(request) == .invalidArgument)
        for (from, to) in [("604800", "604801"), ("604800", "-1"), ("604800", "week"), ("AWS4-HMAC", "AWS5-HMAC")] {
            request.rawQuery = query.replacing(from, with: to)
            #expect(code(request) == .authorizationQueryParametersError)
        }
        for part in ["%2Fs3%2F", "aws4_request", "20250314%2F"] {
            request.rawQuery = query.replacing(part, with: "x")
            #expect(code(request) == .authorizationQueryParametersError)
        }
    }

    @Test("authorization headers that are malformed")
    func malformedHeaders() throws {
        let good = try signed(plain)
        let text = good.first("authorization")!
        for (from, to) in [
            ("/s3/", "/ec2/"), ("aws4_request", "aws5"), ("/20250314/", "/2025/"), ("Signature=", "Sig="),
            ("SignedHeaders=host;", "SignedHeaders=host;host;"), ("SignedHeaders=host;", "SignedHeaders=Host;"),
            ("Credential=AKIDEXAMPLE", "Credential="), ("/20250314/", "/20250313/"),
            ("Signature=", "Credential=x, Signature="), ("SignedHeaders=", "other, SignedHeaders="),
            ("Signature=", (0..<20).map { "other\($0)=x, " }.joined() + "Signature="),
        ] {
            #expect(code(with(good, "authorization", text.replacing(from, with: to))) == .authorizationHeaderMalformed)
        }
        #expect(
            code(with(good, "authorization", text.replacing("SignedHeaders=", with: "\tother=x , SignedHeaders=")))
                == nil)
        #expect(code(with(good, "authorization", "Basic YTpi")) == .invalidArgument)
        #expect(code(with(good, "authorization", "AWS4-ECDSA-P256-SHA256 x")) == .unsupportedSignature)
        #expect(code(with(good, "authorization", "AWS x")) == .invalidArgument)
        #expect(code(with(good, "x-amz-content-sha256", nil)) == .missingSecurityHeader)
        #expect(code(with(good, "x-amz-date", nil)) == .accessDenied)
        #expect(code(with(good, "x-amz-security-token", "t")) == .invalidToken)
        var broken = good
        broken.rawQuery = "a=%zz"
        #expect(code(broken) == .invalidURI)
    }

    @Test("version 2 can be switched off")
    func version2Off() throws {
        var v2 = with(plain, "Date", "Fri, 14 Mar 2025 15:09:26 GMT")
        v2.headers.append(.init("Authorization", try signer.signV2(v2)))
        #expect(code(v2) == nil)
        let strict = SignatureVerifier(allowsV2: false)
        #expect(throws: S3Error.self) { try strict.verify(v2, now: time.seconds) { _ in Array("secret".utf8) } }
    }

    @Test("version 2: the resource of a bucket may be signed with a slash at its end, that of an object may not")
    func version2Slash() throws {
        for (path, expected) in [("/bucket", nil), ("/bucket/key", S3ErrorCode.signatureDoesNotMatch)] {
            var slashed = with(plain, "Date", "Fri, 14 Mar 2025 15:09:26 GMT")
            slashed.rawPath = path + "/"
            var sent = slashed
            sent.headers.append(.init("Authorization", try signer.signV2(slashed)))
            #expect(code(sent) == nil)
            sent.rawPath = path
            #expect(code(sent) == expected)
        }
    }

    @Test("signing keys of strangers are not remembered, and the memory is bounded")
    func keyCache() throws {
        let small = SignatureVerifier(cachedKeys: 2)
        for region in ["a", "b", "c", "d"] {
            let stranger = RequestSigner(accessKeyID: "AKIDEXAMPLE", secret: "wrong", region: region)
            var request = plain
            request.headers += try stranger.signV4(plain, payload: "UNSIGNED-PAYLOAD", at: time).headers
                .map { .init($0.name, $0.value) }
            _ = try? small.verify(request, now: time.seconds) { _ in Array("secret".utf8) }
            #expect(small.cachedKeyCount == 0)
        }
        for region in ["a", "b", "c", "d"] {
            let friend = RequestSigner(accessKeyID: "AKIDEXAMPLE", secret: "secret", region: region)
            var request = plain
            request.headers += try friend.signV4(plain, payload: "UNSIGNED-PAYLOAD", at: time).headers
                .map { .init($0.name, $0.value) }
            _ = try small.verify(request, now: time.seconds) { _ in Array("secret".utf8) }
            #expect((1...2).contains(small.cachedKeyCount))
        }
    }

    @Test(
        "times have one spelling",
        arguments: [
            "20250314T150926", "2025-03-14T15:09:26Z", "20250230T000000Z", "20251314T000000Z", "20250314T240000Z", "",
        ])
    func times(text: String) {
        #expect(SigningTime(text) == nil)
        #expect(SigningTime("20240229T235959Z")?.text == "20240229T235959Z")
        #expect(SigningTime(seconds: 0).text == "19700101T000000Z")
    }
}

extension SignableRequest {
    fileprivate func addingHeader(_ name: String, _ value: String) -> SignableRequest {
        var copy = self
        copy.headers.append(.init(name, value))
        return copy
    }
}
