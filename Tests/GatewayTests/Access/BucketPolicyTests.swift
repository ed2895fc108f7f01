import S3Protocol
import Testing

@testable import Gateway

@Suite struct BucketPolicyTests {
    private static let users: Set = ["alice", "bob"]

    private static func parse(_ text: String) throws -> BucketPolicy {
        try BucketPolicy(parsing: Array(text.utf8), bucket: "box", isUser: users.contains)
    }

    /// A policy of one statement; fields that are nil are left out.
    private static func statement(
        version: String = "2012-10-17", effect: String? = #""Allow""#, principal: String? = #""*""#,
        action: String? = #""s3:GetObject""#, resource: String? = #""arn:aws:s3:::box/*""#, more: String = ""
    ) -> String {
        let fields = [("Effect", effect), ("Principal", principal), ("Action", action), ("Resource", resource)]
            .compactMap { name, value in value.map { "\"\(name)\": \($0)" } }
        let all = (fields + (more.isEmpty ? [] : [more])).joined(separator: ", ")
        return "{\"Version\": \"\(version)\", \"Statement\": [{\(all)}]}"
    }

    private static func verdict(
        _ text: String, user: String? = nil, action: String = "s3:GetObject", key: String? = "a/b",
        _ context: PolicyContext = PolicyContext()
    ) throws -> BucketPolicy.Verdict {
        let resource = "arn:aws:s3:::box" + (key.map { "/" + $0 } ?? "")
        return try parse(text).evaluate(
            PolicyRequest(user: user, action: action, resource: Array(resource.utf8), context: context))
    }

    // MARK: - Form

    static let malformed: [(String, String)] = [
        ("", "first byte"), ("[]", "first byte"), ("{", "first byte"), ("not json", "first byte"),
        (#"{"Version": "2012-10-17"}"#, "Missing required field Statement"),
        (#"{"Version": "2012-10-17", "Statement": []}"#, "Invalid policy syntax"),
        (#"{"Version": "2012-10-17", "Statement": ["x"]}"#, "Invalid policy syntax"),
        (#"{"Version": "2012-10-18", "Statement": {}}"#, "valid version"),
        (#"{"Other": 1, "Statement": {}}"#, "Unknown field Other"),
        (statement(effect: nil), "Missing required field Effect"),
        (statement(effect: #""allow""#), "Invalid effect"),
        (statement(principal: nil), "Missing required field Principal"),
        (statement(principal: #""alice""#), "Invalid principal"),
        (statement(principal: #"{"AWS": "carol"}"#), "Invalid principal"),
        (statement(principal: #"{"AWS": "arn:aws:iam::1:user/carol"}"#), "Invalid principal"),
        (statement(principal: #"{"AWS": "arn:aws:s3:::box"}"#), "Invalid principal"),
        (statement(principal: #"{"Service": "x.amazonaws.com"}"#), "Invalid principal"),
        (statement(principal: #"{"AWS": []}"#), "Invalid principal"),
        (statement(principal: #""*""#, more: #""NotPrincipal": "*""#), "already has instance"),
        (statement(action: nil), "Missing required field Action"),
        (statement(action: #""s3:Fly""#), "invalid action"), (statement(action: #""ec2:*""#), "invalid action"),
        (statement(action: "[]"), "invalid action"), (statement(action: "{}"), "invalid action"),
        (statement(resource: nil), "Missing required field Resource"),
        (statement(resource: #""arn:aws:s3:::other/*""#), "invalid resource"),
        (statement(resource: #""box""#), "invalid resource"), (statement(resource: "[1, {}]"), "invalid resource"),
        (statement(resource: #""arn:aws:s3:::box""#), "does not apply"),
        (statement(action: #""s3:ListBucket""#), "does not apply"),
        (statement(more: #""Other": 1"#), "Unknown field Other"),
        (statement(more: #""Condition": []"#), "Invalid Condition"),
        (statement(more: #""Condition": {"Equals": {"aws:username": "a"}}"#), "Invalid Condition type"),
        (statement(more: #""Condition": {"StringEquals": {"s3:nothing": "a"}}"#), "invalid condition key"),
        (statement(more: #""Condition": {"StringEquals": {"ec2:Region": "a"}}"#), "invalid condition key"),
        (statement(more: #""Condition": {"NumericEquals": {"s3:max-keys": "many"}}"#), "Invalid Condition value"),
        (statement(more: #""Condition": {"IpAddress": {"aws:SourceIp": "300.1.1.1"}}"#), "Invalid Condition value"),
        (statement(more: #""Condition": {"Bool": {"aws:SecureTransport": "maybe"}}"#), "Invalid Condition value"),
        (statement(more: #""Condition": {"DateLessThan": {"aws:CurrentTime": "soon"}}"#), "Invalid Condition value"),
    ]

    @Test("what is no policy is refused, and says why", arguments: malformed)
    func refused(_ text: String, _ reason: String) {
        do {
            _ = try Self.parse(text)
            Issue.record("accepted: \(text)")
        } catch {
            let error = error as? S3Error
            #expect(error?.code == .malformedPolicy)
            #expect(error?.message.contains(reason) == true, "\(error?.message ?? "")")
        }
    }

    @Test("a policy has a size limit")
    func size() {
        let long = Self.statement(more: "\"Sid\": \"\(String(repeating: "x", count: BucketPolicy.sizeMax))\"")
        #expect(throws: S3Error.self) { try Self.parse(long) }
    }

    @Test(
        "all forms of principals",
        arguments: [
            (#""*""#, true, true), (#"{"AWS": "*"}"#, true, true), (#"{"AWS": ["*"]}"#, true, true),
            (#"{"AWS": "alice"}"#, true, false), (#"{"AWS": "arn:aws:iam::alice:root"}"#, true, false),
            (#"{"AWS": ["bob", "arn:aws:iam::123456789012:user/team/alice"]}"#, true, false),
            (#"{"CanonicalUser": "alice"}"#, true, false), (#"{"AWS": "bob"}"#, false, false),
        ])
    func principals(_ principal: String, _ isAlice: Bool, _ isAnybody: Bool) throws {
        let text = Self.statement(principal: principal)
        #expect(try Self.verdict(text, user: "alice") == (isAlice ? .allowed : .silent))
        #expect(try Self.verdict(text) == (isAnybody ? .allowed : .silent))
    }

    @Test("NotPrincipal, NotAction and NotResource turn the sense around")
    func negations() throws {
        let notAlice = Self.statement(
            effect: #""Deny""#, principal: nil, more: #""NotPrincipal": {"AWS": "alice"}"#)
        #expect(try Self.verdict(notAlice, user: "alice") == .silent)
        #expect(try Self.verdict(notAlice, user: "bob") == .denied)
        #expect(try Self.verdict(notAlice) == .denied)
        let notPut = Self.statement(action: nil, more: #""NotAction": ["s3:Put*", "s3:DeleteObject"]"#)
        #expect(try Self.verdict(notPut) == .allowed)
        #expect(try Self.verdict(notPut, action: "s3:PutObject") == .silent)
        let notSecret = Self.statement(resource: nil, more: #""NotResource": "arn:aws:s3:::box/secret/*""#)
        #expect(try Self.verdict(notSecret) == .allowed)
        #expect(try Self.verdict(notSecret, key: "secret/a") == .silent)
    }

    @Test("wildcards of actions ignore case, those of resources do not, a denial wins")
    func wildcards() throws {
        #expect(try Self.verdict(Self.statement(action: #""S3:getOBJECT""#)) == .allowed)
        #expect(try Self.verdict(Self.statement(action: #""s3:Get*""#)) == .allowed)
        #expect(try Self.verdict(Self.statement(action: #""s3:?etObject""#)) == .allowed)
        #expect(try Self.verdict(Self.statement(action: #""*""#)) == .allowed)
        #expect(try Self.verdict(Self.statement(resource: #""arn:aws:s3:::box/A/*""#)) == .silent)
        #expect(try Self.verdict(Self.statement(resource: #""arn:aws:s3:::b?x/a*b""#)) == .allowed)
        #expect(try Self.verdict(Self.statement(resource: #""arn:aws:s3:::box/*c""#)) == .silent)
        let both = """
            {"Statement": [{"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": "arn:aws:s3:::box/*"},
            {"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::box/a/*"}]}
            """
        #expect(try Self.verdict(both) == .denied)
        #expect(try Self.verdict(both, key: "b") == .allowed)
    }

    @Test("variables are filled in, from version 2012-10-17 on")
    func variables() throws {
        var context = PolicyContext()
        context["aws:username"] = ["alice"]
        let text = Self.statement(resource: #""arn:aws:s3:::box/home/${aws:username}/*""#)
        #expect(try Self.verdict(text, key: "home/alice/x", context) == .allowed)
        #expect(try Self.verdict(text, key: "home/bob/x", context) == .silent)
        #expect(try Self.verdict(text, key: "home/alice/x") == .silent)
        context["aws:username"] = ["*"]
        #expect(try Self.verdict(text, key: "home/bob/x", context) == .silent)
        let old = Self.statement(version: "2008-10-17", resource: #""arn:aws:s3:::box/${aws:username}""#)
        #expect(try Self.verdict(old, key: "${aws:username}", context) == .allowed)
        let star = Self.statement(resource: #""arn:aws:s3:::box/${*}""#)
        #expect(try Self.verdict(star, key: "*") == .allowed)
        #expect(try Self.verdict(star, key: "x") == .silent)
    }

    // MARK: - Conditions

    private static let key = "s3:prefix"

    /// operator, values of the policy, values of the request (nil: none), whether it holds.
    static let conditions: [(String, String, [String]?, Bool)] = [
        ("StringEquals", #""a""#, ["a"], true), ("StringEquals", #"["b", "a"]"#, ["a"], true),
        ("StringEquals", #""a""#, ["A"], false), ("StringEquals", #""a*""#, ["ab"], false),
        ("StringEquals", #""a""#, nil, false), ("StringEqualsIfExists", #""a""#, nil, true),
        ("StringEqualsIfExists", #""a""#, ["b"], false),
        ("StringNotEquals", #""a""#, ["b"], true), ("StringNotEquals", #"["b", "a"]"#, ["a"], false),
        ("StringNotEquals", #""a""#, nil, true),
        ("StringEqualsIgnoreCase", #""Ab""#, ["aB"], true), ("StringNotEqualsIgnoreCase", #""Ab""#, ["aB"], false),
        ("StringLike", #""a*c""#, ["abbc"], true), ("StringLike", #""a?c""#, ["abbc"], false),
        ("StringNotLike", #""a*""#, ["abc"], false), ("StringNotLike", #""a*""#, ["b"], true),
        ("NumericEquals", "10", ["10"], true), ("NumericNotEquals", "10", ["10"], false),
        ("NumericLessThan", "10", ["9"], true), ("NumericLessThan", "10", ["10"], false),
        ("NumericLessThanEquals", #""10""#, ["10"], true), ("NumericGreaterThan", "10", ["11"], true),
        ("NumericGreaterThanEquals", "10", ["9"], false), ("NumericLessThan", "10", ["x"], false),
        ("DateLessThan", #""2030-01-01T00:00:00Z""#, ["2029-12-31T23:59:59Z"], true),
        ("DateGreaterThan", #""2030-01-01T00:00:00Z""#, ["2029-12-31T23:59:59.000Z"], false),
        ("DateEquals", #""1970-01-01T00:00:10Z""#, ["10"], true),
        ("DateGreaterThanEquals", #""2030-01-01""#, ["2030-01-01T00:00:00Z"], true),
        ("Bool", "true", ["true"], true), ("Bool", #""false""#, ["true"], false),
        ("IpAddress", #""10.0.0.0/8""#, ["10.200.3.4"], true), ("IpAddress", #""10.0.0.0/8""#, ["11.0.0.1"], false),
        ("IpAddress", #""10.0.0.128/25""#, ["10.0.0.127"], false), ("IpAddress", #""10.0.0.1""#, ["10.0.0.1"], true),
        ("IpAddress", #""2001:db8::/33""#, ["2001:db8:7fff::1"], true),
        ("IpAddress", #""2001:db8::/33""#, ["2001:db8:8000::1"], false),
        ("IpAddress", #""10.0.0.0/8""#, ["::ffff:10.1.1.1"], true),
        ("IpAddress", #""0.0.0.0/0""#, ["2001:db8::1"], false),
        ("NotIpAddress", #""10.0.0.0/8""#, ["10.1.1.1"], false), ("NotIpAddress", #""10.0.0.0/8""#, ["9.1.1.1"], true),
        ("ArnLike", #""arn:aws:iam::*:user/al*""#, ["arn:aws:iam::1:user/alice"], true),
        ("ArnNotEquals", #""arn:aws:iam::1:user/alice""#, ["arn:aws:iam::1:user/alice"], false),
        ("Null", "true", nil, true), ("Null", "true", ["a"], false), ("Null", "false", ["a"], true),
        ("ForAnyValue:StringEquals", #"["a", "b"]"#, ["c", "b"], true),
        ("ForAnyValue:StringEquals", #"["a", "b"]"#, ["c"], false),
        ("ForAnyValue:StringEquals", #""a""#, nil, false),
        ("ForAnyValue:StringNotEquals", #""a""#, nil, false),
        ("ForAllValues:StringEquals", #"["a", "b"]"#, ["a", "b"], true),
        ("ForAllValues:StringEquals", #"["a", "b"]"#, ["a", "c"], false),
        ("ForAllValues:StringEquals", #""a""#, nil, true),
        ("ForAllValues:StringNotLike", #""a*""#, ["b", "c"], true),
        ("ForAllValues:StringNotLike", #""a*""#, ["b", "ac"], false),
        ("ForAllValues:StringLikeIfExists", #""a*""#, nil, true),
    ]

    @Test("operators of conditions", arguments: conditions)
    func condition(_ name: String, _ values: String, _ found: [String]?, _ holds: Bool) throws {
        var context = PolicyContext()
        context[Self.key] = found
        let text = Self.statement(more: #""Condition": {"\#(name)": {"S3:Prefix": \#(values)}}"#)
        #expect(try Self.verdict(text, context) == (holds ? .allowed : .silent))
    }

    @Test("all conditions of a statement must hold")
    func conjunction() throws {
        var context = PolicyContext()
        context["s3:prefix"] = ["a"]
        let text = Self.statement(
            more: #""Condition": {"StringEquals": {"s3:prefix": "a"}, "Bool": {"aws:SecureTransport": "true"}}"#)
        #expect(try Self.verdict(text, context) == .silent)
        context["aws:SecureTransport"] = ["true"]
        #expect(try Self.verdict(text, context) == .allowed)
    }

    @Test(
        "which policies are public",
        arguments: [
            (statement(), true), (statement(effect: #""Deny""#), false),
            (statement(principal: #"{"AWS": "alice"}"#), false),
            (statement(principal: nil, more: #""NotPrincipal": {"AWS": "alice"}"#), true),
            (statement(more: #""Condition": {"IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#), false),
            (statement(more: #""Condition": {"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}"#), true),
            (statement(more: #""Condition": {"NotIpAddress": {"aws:SourceIp": "10.0.0.0/8"}}"#), true),
            (statement(more: #""Condition": {"StringEquals": {"aws:username": "alice"}}"#), false),
            (statement(more: #""Condition": {"StringLike": {"aws:username": "a*"}}"#), true),
            (statement(more: #""Condition": {"StringLike": {"s3:prefix": "a"}}"#), true),
        ])
    func isPublic(_ text: String, _ expected: Bool) throws {
        #expect(try Self.parse(text).isPublic == expected)
    }

    @Test("a pattern with many stars takes bounded time")
    func patternTime() throws {
        let pattern = try #require(PolicyPattern(String(repeating: "*a", count: 200), hasVariables: false))
        #expect(!pattern.matches(Array(repeating: UInt8(ascii: "a"), count: 1000) + [UInt8(ascii: "b")]))
    }
}
