import NIOCore
import S3Protocol
import Testing

@testable import Gateway

@Suite struct FormDataParserTests {
    private static let form =
        "--b\r\nContent-Disposition: form-data; name=\"key\"\r\n\r\nvalue\r\n"
        + "--b\r\nContent-Type: text/plain\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a\\\"b.txt\"\r\n"
        + "\r\n--b\r\r\n--bb\r\n-\r\n--b--\r\nepilogue"

    /// What comes out when the text goes in, in pieces of this size.
    private static func events(_ text: String, pieces size: Int) throws -> [FormDataParser.Event] {
        var parser = try #require(FormDataParser(boundary: "b"))
        var rest = Array(text.utf8)[...]
        var events: [FormDataParser.Event] = []
        while true {
            switch try parser.next() {
            case .needsMore:
                guard !rest.isEmpty else { return events + [.needsMore] }
                parser.append(ByteBuffer(bytes: rest.prefix(size)))
                rest = rest.dropFirst(size)
            case .data(let bytes):
                if case .data(var before)? = events.last {
                    before.writeImmutableBuffer(bytes)
                    events[events.count - 1] = .data(before)
                } else {
                    events.append(.data(bytes))
                }
            case .end: return events + [.end]
            case let event: events.append(event)
            }
        }
    }

    @Test("a form comes out the same however it is cut", arguments: [1, 2, 3, 5, 7, 16, 1000])
    func pieces(_ size: Int) throws {
        // `--bb` begins as a delimiter does: what follows a delimiter must be a line end.
        let text = Self.form.replacing("--bb", with: "--xb")
        #expect(
            try Self.events(text, pieces: size) == [
                .part(.init(name: "key")), .data(ByteBuffer(string: "value")), .endOfPart,
                .part(.init(name: "file", filename: "a\"b.txt", contentType: "text/plain")),
                .data(ByteBuffer(string: "--b\r\r\n--xb\r\n-")), .endOfPart, .end,
            ])
    }

    @Test("what is no form is refused, what is cut waits for more")
    func malformed() throws {
        #expect(throws: S3Error(.malformedPOSTRequest)) { try Self.events(Self.form, pieces: 1000) }
        #expect(throws: S3Error(.malformedPOSTRequest)) {
            try Self.events("--b\r\nX: y\r\n\r\nvalue\r\n--b--", pieces: 1000)
        }
        let long = String(repeating: "x", count: FormDataParser.headSizeMax + 1)
        #expect(throws: S3Error(.malformedPOSTRequest)) { try Self.events(long, pieces: 100) }
        #expect(throws: S3Error(.malformedPOSTRequest)) { try Self.events("--b\r\nX: \(long)", pieces: 100) }
        let cut = String(Self.form.prefix(60))
        #expect(try Self.events(cut, pieces: 7).last == .needsMore)
    }

    @Test("the boundary comes from the content type")
    func contentTypes() {
        #expect(FormDataParser(contentType: "multipart/form-data; boundary=x") != nil)
        #expect(FormDataParser(contentType: "Multipart/Form-Data; charset=utf-8; Boundary=\"a b\"") != nil)
        #expect(FormDataParser(contentType: "multipart/form-data") == nil)
        #expect(FormDataParser(contentType: "multipart/mixed; boundary=x") == nil)
        #expect(
            FormDataParser(contentType: "multipart/form-data; boundary=" + String(repeating: "x", count: 71)) == nil)
    }
}

@Suite struct PostPolicyTests {
    private static func policy(_ conditions: String, expiration: String = "2030-01-01T00:00:00.000Z") throws
        -> PostPolicy
    {
        let text = "{\"expiration\": \"\(expiration)\", \"conditions\": \(conditions)}"
        return try PostPolicy(parsing: Base64.encode(Array(text.utf8)))
    }

    private static func isMet(_ conditions: String, _ fields: [String: String]) throws -> Bool {
        do {
            try policy(conditions).check(fields, bucket: "box", now: 0)
            return true
        } catch let error as S3Error where error.code == .accessDenied { return false }
    }

    @Test("conditions on fields")
    func conditions() throws {
        #expect(try Self.isMet(#"[{"bucket": "box"}, ["eq", "$key", "a"]]"#, ["key": "a"]))
        #expect(try !Self.isMet(#"[{"bucket": "other"}, ["eq", "$key", "a"]]"#, ["key": "a"]))
        #expect(try !Self.isMet(#"[["eq", "$key", "a"]]"#, ["key": "A"]))
        #expect(try Self.isMet(#"[["starts-with", "$key", "a/"]]"#, ["key": "a/b"]))
        #expect(try !Self.isMet(#"[["starts-with", "$key", "a/"]]"#, ["key": "b"]))
        #expect(try Self.isMet(#"[["starts-with", "$key", ""]]"#, ["key": "b"]))
        #expect(
            try Self.isMet(#"[["starts-with", "$Content-Type", "image/"]]"#, ["content-type": "image/png, image/gif"]))
        #expect(
            try !Self.isMet(#"[["starts-with", "$Content-Type", "image/"]]"#, ["content-type": "image/png, text/a"]))
        #expect(try !Self.isMet(#"[{"key": "a"}]"#, ["key": "a", "acl": "private"]))
        #expect(try Self.isMet(#"[{"key": "a"}]"#, ["key": "a", "policy": "p", "signature": "s", "x-ignore-a": "1"]))
    }

    @Test("a policy ends at its expiration")
    func expiration() throws {
        let policy = try Self.policy(#"[{"key": "a"}]"#)
        try policy.check(["key": "a"], bucket: "box", now: 1_893_455_999)
        #expect(throws: S3Error.self) { try policy.check(["key": "a"], bucket: "box", now: 1_893_456_000) }
    }
}
