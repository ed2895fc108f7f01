import S3Protocol
import Testing

@Suite struct PreconditionsTests {
    let before = "Sun, 06 Nov 1994 08:49:36 GMT"
    let exactly = "Sun, 06 Nov 1994 08:49:37 GMT"
    let after = "Sun, 06 Nov 1994 08:49:38 GMT"

    private func outcome(
        ifMatch: String? = nil, ifNoneMatch: String? = nil, modified: String? = nil, unmodified: String? = nil
    ) -> Preconditions.Outcome {
        Preconditions(
            ifMatch: ifMatch, ifNoneMatch: ifNoneMatch, ifModifiedSince: modified, ifUnmodifiedSince: unmodified
        ).evaluate(etag: "abc", modified: 784_111_777)
    }

    @Test("each condition alone")
    func alone() {
        #expect(outcome() == .proceed)
        #expect(outcome(ifMatch: "\"abc\"") == .proceed)
        #expect(outcome(ifMatch: "abc") == .proceed)
        #expect(outcome(ifMatch: "*") == .proceed)
        #expect(outcome(ifMatch: "\"x\", \"abc\"") == .proceed)
        #expect(outcome(ifMatch: "\"x\"") == .failed("If-Match"))
        #expect(outcome(ifNoneMatch: "\"abc\"") == .notModified)
        #expect(outcome(ifNoneMatch: "W/\"abc\"") == .notModified)
        #expect(outcome(ifNoneMatch: "\"x\"") == .proceed)
        #expect(outcome(modified: before) == .proceed)
        #expect(outcome(modified: exactly) == .notModified)
        #expect(outcome(unmodified: exactly) == .proceed)
        #expect(outcome(unmodified: before) == .failed("If-Unmodified-Since"))
    }

    @Test("an entity tag goes before a date")
    func precedence() {
        #expect(outcome(ifMatch: "\"abc\"", unmodified: before) == .proceed)
        #expect(outcome(ifMatch: "\"x\"", unmodified: after) == .failed("If-Match"))
        #expect(outcome(ifNoneMatch: "\"x\"", modified: after) == .proceed)
        #expect(outcome(ifNoneMatch: "\"abc\"", modified: before) == .notModified)
    }

    @Test("what must be true of the state goes before what the client has")
    func failureBeforeNotModified() {
        #expect(outcome(ifMatch: "\"x\"", ifNoneMatch: "\"abc\"") == .failed("If-Match"))
        #expect(outcome(modified: after, unmodified: before) == .failed("If-Unmodified-Since"))
    }

    @Test("a date that cannot be read is no condition")
    func unreadable() {
        #expect(outcome(modified: "soon") == .proceed)
        #expect(outcome(unmodified: "soon") == .proceed)
    }

    @Test("a write knows If-None-Match: * and If-Match, nothing else")
    func writes() throws {
        #expect(try WriteCondition(ifMatch: nil, ifNoneMatch: nil) == .none)
        #expect(try WriteCondition(ifMatch: nil, ifNoneMatch: "*") == .absent)
        #expect(try WriteCondition(ifMatch: "\"a\"", ifNoneMatch: nil) == .matches("a"))
        #expect(throws: S3Error.self) { try WriteCondition(ifMatch: nil, ifNoneMatch: "\"a\"") }
        #expect(throws: S3Error.self) { try WriteCondition(ifMatch: "a", ifNoneMatch: "*") }
    }

    @Test("the condition of a write against what is there")
    func writeOutcomes() throws {
        try WriteCondition.none.check(etag: "a")
        try WriteCondition.absent.check(etag: nil)
        try WriteCondition.matches("a").check(etag: "a")
        #expect(code { try WriteCondition.absent.check(etag: "a") } == .preconditionFailed)
        #expect(code { try WriteCondition.matches("a").check(etag: "b") } == .preconditionFailed)
        #expect(code { try WriteCondition.matches("a").check(etag: nil) } == .noSuchKey)
    }
}

/// The code that a block throws; nil when it throws nothing, or something else.
func code(_ block: () throws -> Void) -> S3ErrorCode? {
    do {
        try block()
        return nil
    } catch { return (error as? S3Error)?.code }
}
