import S3Protocol
import Testing

@Suite struct LifecycleTests {
    private static let day: Int64 = 86_400_000
    private let clock = LifecycleClock(day: .seconds(86_400))

    private func configuration(_ rules: String) throws -> LifecycleConfiguration {
        try LifecycleConfiguration(parsing: Array("<LifecycleConfiguration>\(rules)</LifecycleConfiguration>".utf8))
    }

    private static func rule(_ content: String, id: String = "r", filter: String = "<Filter/>") -> String {
        "<Rule><ID>\(id)</ID>\(filter)<Status>Enabled</Status>\(content)</Rule>"
    }

    @Test("days end at the next midnight; a day may be shorter")
    func days() {
        let noon = 100 * Self.day + Self.day / 2
        #expect(clock.end(of: 1, after: noon) == 102 * Self.day)
        #expect(clock.end(of: 1, after: 100 * Self.day) == 101 * Self.day)
        #expect(LifecycleClock(day: .seconds(2)).end(of: 3, after: 10_500) == 18_000)
        #expect(clock.end(of: .max, after: noon) == .max)
        #expect(clock.end(of: 1, after: .max) == .max)
    }

    @Test("the rule that comes first is the one that is told")
    func expiration() throws {
        let configuration = try configuration(
            Self.rule("<Expiration><Days>9</Days></Expiration>", id: "late")
                + Self.rule(
                    "<Expiration><Days>2</Days></Expiration>", id: "logs",
                    filter: "<Filter><Prefix>log/</Prefix></Filter>")
                + Self.rule(
                    "<Expiration><Days>1</Days></Expiration>", id: "tagged",
                    filter: "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>"))
        func first(_ key: String, _ tags: [String: String] = [:]) -> String? {
            configuration.expiration(
                key: Array(key.utf8), size: 1, modifiedMilliseconds: 0, clock, tags: { tags })?.rule.id
        }
        #expect(first("x") == "late")
        #expect(first("log/x") == "logs")
        #expect(first("log/x", ["a": "b"]) == "tagged")
        #expect(first("x", ["a": "c"]) == "late")
    }

    @Test(
        "sizes are limits that do not belong to the range", arguments: [(1, false), (2, true), (9, true), (10, false)])
    func sizes(_ size: UInt64, _ expected: Bool) throws {
        let and = "<ObjectSizeGreaterThan>1</ObjectSizeGreaterThan><ObjectSizeLessThan>10</ObjectSizeLessThan>"
        let configuration = try configuration(
            Self.rule("<Expiration><Days>1</Days></Expiration>", filter: "<Filter><And>\(and)</And></Filter>"))
        #expect(configuration.rules[0].filter.matches(size: size) == expected)
    }

    @Test("a disabled rule expires nothing")
    func disabled() throws {
        let configuration = try configuration(
            "<Rule><Prefix/><Status>Disabled</Status><Expiration><Days>1</Days></Expiration></Rule>")
        #expect(configuration.rules[0].expiration(modifiedMilliseconds: 0, clock) == nil)
    }

    @Test("rules without an id get one; a document that has them stays as it is")
    func ids() throws {
        let whole =
            "<LifecycleConfiguration>\(Self.rule("<Expiration><Days>1</Days></Expiration>"))</LifecycleConfiguration>"
        #expect(try LifecycleConfiguration.completed(Array(whole.utf8)) == Array(whole.utf8))
        let bare =
            "<LifecycleConfiguration><Rule><Filter><Prefix>a&amp;b</Prefix></Filter><Status>Enabled</Status>"
            + "<Expiration><Days>1</Days></Expiration></Rule></LifecycleConfiguration>"
        let completed = try LifecycleConfiguration(parsing: LifecycleConfiguration.completed(Array(bare.utf8)))
        #expect(!completed.rules[0].id.isEmpty)
        #expect(completed.rules[0].filter.prefix == "a&b")
        #expect(completed.rules[0].expirationDays == 1)
    }

    @Test(
        "what makes no sense is refused",
        arguments: [
            ("", S3ErrorCode.malformedXML), (rule(""), .invalidRequest),
            (rule("<Expiration><Days>0</Days></Expiration>"), .invalidArgument),
            (rule("<Expiration><Days>x</Days></Expiration>"), .malformedXML),
            (rule("<Expiration><Days>1</Days><Date>2030-01-01</Date></Expiration>"), .malformedXML),
            (rule("<Expiration><Date>2030-01-01T01:00:00Z</Date></Expiration>"), .invalidArgument),
            (rule("<Expiration><Date>soon</Date></Expiration>"), .malformedXML),
            (rule("<Expiration><Days>1</Days></Expiration>", id: String(repeating: "x", count: 256)), .invalidArgument),
            (rule("<Expiration><Days>1</Days></Expiration>", filter: ""), .malformedXML),
            (rule("<Expiration><Days>1</Days></Expiration>", filter: "<Prefix/><Filter/>"), .malformedXML),
            (
                rule("<Expiration><Days>1</Days></Expiration>") + rule("<Expiration><Days>1</Days></Expiration>"),
                .invalidArgument
            ),
            (rule("<Transition><Days>1</Days><StorageClass>GLACIER</StorageClass></Transition>"), .notImplemented),
            (
                rule(
                    "<AbortIncompleteMultipartUpload><DaysAfterInitiation>1</DaysAfterInitiation>"
                        + "</AbortIncompleteMultipartUpload>",
                    filter: "<Filter><Tag><Key>a</Key><Value>b</Value></Tag></Filter>"), .invalidRequest
            ),
            ("<Rule><Filter/><Status>On</Status><Expiration><Days>1</Days></Expiration></Rule>", .malformedXML),
            (
                rule("<NoncurrentVersionExpiration><NoncurrentDays>0</NoncurrentDays></NoncurrentVersionExpiration>"),
                .invalidArgument
            ),
        ] as [(String, S3ErrorCode)])
    func refused(_ rules: String, _ code: S3ErrorCode) {
        let error = #expect(throws: S3Error.self) { try configuration(rules) }
        #expect(error?.code == code)
    }

    @Test(
        "dates of ISO 8601",
        arguments: [
            ("1970-01-02", day), ("1970-01-02T00:00:00Z", day), ("1970-01-02T00:00:01.5Z", day + 1500),
            ("1970-01-02T01:00:00+01:00", day), ("1970-01-01T23:30:00-00:30", day), ("1970-13-01", nil),
            ("1970-02-30", nil), ("1970-01-01T24:00:00Z", nil), ("1970-01-01T00:00:00", nil), ("x", nil), ("", nil),
            ("1970-01-01T00:00:00.Z", nil), ("+970-01-01", nil),
        ] as [(String, Int64?)])
    func dates(_ text: String, _ expected: Int64?) { #expect(HTTPDate.parseISO8601(text) == expected) }
}
